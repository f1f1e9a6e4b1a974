"""How a Module shows in Treescope, the interactive printer for notebooks, where that is installed."""

import dataclasses
import importlib
import inspect
import types
from typing import Any


def treescope_rendering(module: Any, path: str | None, subtree_renderer: Any) -> Any:
    """Show a Module by its fields, on a background with the colour of its class; a wrapper by what it wraps."""
    # An optional dependency, which is there because it calls this.
    treescope: Any = importlib.import_module("treescope")
    cls: Any = module.__class__
    return treescope.repr_lib.render_object_constructor(
        object_type=cls,
        attributes=_attributes(module),
        path=path,
        subtree_renderer=subtree_renderer,
        color=treescope.formatting_util.color_from_string(cls.__qualname__),
    )


def _attributes(module: Any) -> dict[str, Any]:
    if isinstance(inspect.getattr_static(module.__class__, "__wrapped__", None), property):
        wrapped = module.__wrapped__
        if not isinstance(wrapped, types.MethodType):
            return {"__wrapped__": wrapped}
    shown = [field.name for field in dataclasses.fields(module) if field.repr]
    return {name: getattr(module, name) for name in shown if hasattr(module, name)}
