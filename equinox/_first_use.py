"""Parts of a package that are loaded when a program first asks for them, so that importing the package stays quick."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def load_on_first_use(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and the `__dir__` of a package (PEP 562) some of whose names are loaded on first use.

    **Arguments:** `package` is the package's `__name__`; `modules` says, for each name, which module it comes from, as
    in `from MODULE import NAME`: `{"filter_vmap": "._transforms.vmap", "nn": "."}`.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if modules[name] == ".":
            value = importlib.import_module(f".{name}", package)
        else:
            value = getattr(importlib.import_module(modules[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted(vars(sys.modules[package]).keys() | modules.keys())

    return load, names
