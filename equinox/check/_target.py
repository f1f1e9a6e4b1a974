"""What is to be checked: a class, function or model, or its address `package.module:name`."""

import dataclasses
import importlib
import operator
import sys
from collections.abc import Mapping
from typing import Any, cast

from ._notation import UsageError


@dataclasses.dataclass(frozen=True)
class Target:
    """Something that can be called, or called to build what can be called."""

    #: Its address.
    name: str
    value: Any
    #: The names that are defined in its module.
    names: Mapping[str, Any]


def import_target(address: str) -> Target:
    """Import what an address names.

    **Arguments**

    - `address`: a module and, after a colon, a name in it, which may have dots: `package.module:Model`.

    **Raises**

    - `UsageError`: it is no address, or nothing is there.
    - Whatever the module raises while it is imported.
    """
    module_name, colon, attribute = address.partition(":")
    if not (module_name and colon and attribute):
        raise UsageError(f"`{address}` does not name a target: write the module, a colon and the name: `models:Model`.")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Another module that is missing is an error in the module that is checked.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise UsageError(f"`{address}`: there is no module `{error.name}` here or among the installed ones.") from None
    try:
        value = operator.attrgetter(attribute)(module)
    except AttributeError as error:
        raise UsageError(f"`{address}`: {error}.") from None
    return Target(address, value, vars(module))


def as_target(value: Any) -> Target:
    """Make a target of an object, named after its definition or that of its class."""
    definition: Any = value if hasattr(value, "__qualname__") else cast(Any, type(value))
    module = sys.modules.get(definition.__module__)
    return Target(f"{definition.__module__}:{definition.__qualname__}", value, {} if module is None else vars(module))
