"""What happens when a Module class is made."""

import abc
import dataclasses
import inspect
import sys
import types
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import Format, dataclass_transform, get_annotations

from .._errors import first_user_frame
from .abstract import AbstractAttributes, hidden_annotations, own_abstract_attributes, unmet_abstract_attributes
from .construction import PickledPlan, Plan, construct, make_plan
from .fields import field
from .flatten import Layout
from .method import Method, is_method, mixin_methods


@dataclass_transform(eq_default=False, field_specifiers=(dataclasses.field, field))
class ModuleMeta(abc.ABCMeta):
    """The type of Module classes."""

    __module_plan__: Plan

    # Hidden from type checkers, for which these would hide the `__init__` that `dataclass_transform` promises.
    if not TYPE_CHECKING:

        def __new__(
            mcs,
            name,
            bases,
            namespace,
            /,
            is_abstract=False,
            strict=False,
            frozen=True,
            init=True,
            kw_only=False,
            **kwargs,
        ):
            if frozen is not True:
                raise TypeError(f"Modules are always frozen: `class {name}(..., frozen={frozen!r})` is not possible.")
            body = {key: Method(value) if is_method(key, value) else value for key, value in namespace.items()}
            cls = super().__new__(mcs, name, bases, body, **kwargs)
            for key, value in mixin_methods(cls, _is_module_class).items():
                type.__setattr__(cls, key, value)
            own_abstract = own_abstract_attributes(cls)
            has_generated_init = _gets_generated_init(cls)
            if has_generated_init and not init:
                raise TypeError(
                    f"`class {name}(..., init=False)` is not possible: `{name}` neither has nor inherits a handwritten "
                    "`__init__`, so that nothing would assign its fields. Write one, or drop `init=False`."
                )
            with hidden_annotations(cls, set(own_abstract)):
                dataclasses.dataclass(eq=False, repr=False, init=has_generated_init, kw_only=kw_only)(cls)
            fields = dataclasses.fields(cls)
            if has_generated_init:
                _complete_generated_init(cls, fields)
            elif hasattr(cls, "__post_init__"):
                warnings.warn(
                    f"Class `{cls.__module__}.{cls.__qualname__}` has both an `__init__` method and a `__post_init__` "
                    "method. Only the `__init__` will run: call `self.__post_init__()` in it, or drop one of them.",
                    UserWarning,
                    stacklevel=first_user_frame(),
                )
            abstract = AbstractAttributes(frozenset(), frozenset())
            if own_abstract or any(
                base.__abstractvars__ or base.__abstractclassvars__ for base in bases if _is_module_class(base)
            ):
                abstract = unmet_abstract_attributes(cls)
            generated_init = vars(cls)["__init__"] if has_generated_init else None
            plan = make_plan(cls, Layout(cls, fields), generated_init, is_abstract or strict is None, abstract)
            type.__setattr__(cls, "__module_plan__", plan)
            return cls

        def __init__(cls, name, bases, namespace, /, **kwargs):
            super().__init__(name, bases, namespace)

        __call__ = construct

        def __setattr__(cls, name, value):
            if type(value) is PickledPlan:
                # The class was made with an empty body, and then got its attributes; this is the last of them.
                layout = cls.__module_plan__.layout
                layout.take(dataclasses.fields(cls))
                value = make_plan(cls, layout, value.generated_init, value.is_abstract, value.abstract)
            super().__setattr__(name, Method(value) if is_method(name, value) else value)
            if name in _PLANNED_NAMES:
                _plan_again(cls)

        def __delattr__(cls, name):
            super().__delattr__(name)
            if name in _PLANNED_NAMES:
                _plan_again(cls)

        @property
        def __signature__(cls):
            """What `inspect.signature(cls)` returns, which would otherwise be the signature of the metaclass."""
            for base in cls.__mro__:
                if "__signature__" in vars(base):
                    return vars(base)["__signature__"]
            return inspect.signature(types.MethodType(cls.__init__, cls), **_LAZILY)

        @property
        def __abstractvars__(cls):
            """The names of the instance attributes that are still abstract."""
            return cls.__module_plan__.abstract.variables

        @property
        def __abstractclassvars__(cls):
            """The names of the class attributes that are still abstract."""
            return cls.__module_plan__.abstract.class_variables

    def register(cls, subclass: type) -> type:
        """Virtual subclasses are not possible: what makes a Module is its fields."""
        raise ValueError(
            f"`{cls.__qualname__}.register({getattr(subclass, '__qualname__', subclass)})`: a Module class cannot have "
            "virtual subclasses, which would have neither its fields nor its PyTree structure. Inherit from it instead."
        )


#: Class attributes that a `Plan` was made from.
_PLANNED_NAMES: Final = frozenset({"__init__", "__post_init__", "__new__", "__setattr__", "__check_init__"})

#: As of Python 3.14, annotations are evaluated when they are asked for, and may name what is not defined yet.
_LAZILY: Final[dict[str, Any]] = {"annotation_format": Format.FORWARDREF} if sys.version_info >= (3, 14) else {}


def _is_module_class(cls: type) -> bool:
    return isinstance(cls, ModuleMeta)


def _gets_generated_init(cls: type) -> bool:
    """Whether `dataclasses` is to write the `__init__`: not if the class has or inherits one that a person wrote."""
    if "__init__" in vars(cls):
        return False
    for base in cls.__mro__[1:]:
        if isinstance(base, ModuleMeta):
            return base.__module_plan__.generated_init is not None
        if "__init__" in vars(base) and base is not object:
            return False
    return True


def _complete_generated_init(cls: type, fields: tuple[dataclasses.Field[Any], ...]) -> None:
    """Give the `__init__` that `dataclasses` wrote its parent's docstring, and the types that the converters take."""
    init = vars(cls)["__init__"]
    parent = next(base for base in cls.__mro__[1:] if "__init__" in vars(base))
    init.__doc__ = None if parent is object else vars(parent)["__init__"].__doc__
    converted = {f.name: f.metadata["converter"] for f in fields if "converter" in f.metadata and f.init}
    if converted:
        annotations = get_annotations(init, format=Format.FORWARDREF)
        init.__annotations__ = annotations | {name: _first_parameter_type(f) for name, f in converted.items()}


def _first_parameter_type(converter: Callable[[Any], Any]) -> Any:
    try:
        parameters = list(inspect.signature(converter, **_LAZILY).parameters.values())
    except (TypeError, ValueError):  # builtins without a signature
        return Any
    if not parameters or parameters[0].annotation is inspect.Parameter.empty:
        return Any
    return parameters[0].annotation


def _plan_again(cls: ModuleMeta) -> None:
    """Follow a change that someone made to a finished class, in that class and those that inherit from it."""
    old = vars(cls).get("__module_plan__")
    if old is not None:
        plan = make_plan(cls, old.layout, old.generated_init, old.is_abstract, old.abstract)
        type.__setattr__(cls, "__module_plan__", plan)
        subclasses: list[Any] = cls.__subclasses__()
        for subclass in subclasses:
            _plan_again(subclass)
