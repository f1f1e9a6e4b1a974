"""What happens when a Module class is made, and when an instance of one is."""

import abc
import dataclasses
import inspect
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import jax
from typing_extensions import dataclass_transform

from .._errors import describe, first_user_frame
from .abstract import AbstractAttributes, hidden_annotations, own_abstract_attributes, unmet_abstract_attributes
from .fields import field
from .flatten import WRAPPER_NAMES, Layout, register
from .method import Method, adopt_methods, is_method
from .suspicious import warn_of_static_array, warn_of_transformed_callables, warn_of_uninitialisable_array


class UninitialisedFieldError(TypeError, ValueError):
    """A Module's `__init__` ended without assigning every field."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything about a Module class that making an instance needs, found out once."""

    layout: Layout
    #: The names that may be assigned to while `__init__` runs.
    assignable: frozenset[str]
    #: The `__init__` made by `dataclasses`; None if a person wrote the one that runs.
    generated_init: Callable[..., None] | None
    #: The same, if nothing at all stands between calling the class and calling it.
    direct_init: Callable[..., None] | None
    is_abstract: bool
    abstract: AbstractAttributes
    #: The fields that may still be missing when `__init__` has ended.
    may_be_missing: tuple[str, ...]
    converters: tuple[tuple[str, Callable[[Any], Any]], ...]
    static: tuple[str, ...]
    not_init: tuple[str, ...]
    check_inits: tuple[Callable[[Any], None], ...]
    #: Whether an instance may lack attributes that the class has a default for.
    may_be_irregular: bool
    has_work_after_init: bool


#: The identities of the instances whose `__init__` is running: the only ones that can be assigned to. Identities are
#: unique among living objects, so that this is correct for recursive constructions and for any number of threads.
_initialising: Final[set[int]] = set()


def is_initialising(module: Any) -> bool:
    """Whether the instance's `__init__` is running."""
    return id(module) in _initialising


@dataclass_transform(field_specifiers=(dataclasses.field, field))
class ModuleMeta(abc.ABCMeta):
    """The type of Module classes."""

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
            kw_only=False,
            **kwargs,
        ):
            if frozen is not True:
                raise TypeError(f"Modules are always frozen: `class {name}(..., frozen={frozen!r})` is not possible.")
            cls = super().__new__(mcs, name, bases, namespace, **kwargs)
            own_abstract = own_abstract_attributes(cls)
            has_generated_init = _gets_generated_init(cls)
            _reject_array_defaults(cls)
            with hidden_annotations(cls, set(own_abstract)):
                dataclasses.dataclass(eq=False, repr=False, init=has_generated_init, kw_only=kw_only)(cls)
            fields = dataclasses.fields(cls)
            adopt_methods(cls, frozenset(f.name for f in fields), lambda base: isinstance(base, ModuleMeta))
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
                base.__abstractvars__ or base.__abstractclassvars__ for base in bases if isinstance(base, ModuleMeta)
            ):
                abstract = unmet_abstract_attributes(cls)
            layout = register(cls, fields)
            generated_init = vars(cls)["__init__"] if has_generated_init else None
            plan = _make_plan(cls, layout, generated_init, is_abstract or strict is None, abstract)
            type.__setattr__(cls, "_plan", plan)
            return cls

        def __init__(cls, name, bases, namespace, /, **kwargs):
            super().__init__(name, bases, namespace)

        def __call__(cls, /, *args, **kwargs):
            plan = cls._plan
            if plan.direct_init is not None:
                warn_of_transformed_callables(args)
                if kwargs:
                    warn_of_transformed_callables(kwargs.values())
                instance = plan.layout.blank()
                plan.direct_init(instance, *args, **kwargs)
                # The copy is a dictionary of its own, which is faster to read than one that shares its keys with `Blank`.
                instance.__dict__ = {**instance.__dict__}
                instance.__class__ = cls
            else:
                if plan.is_abstract:
                    raise TypeError(
                        f"Cannot instantiate abstract Module `{cls.__qualname__}`: it was declared with "
                        "`is_abstract=True`. Instantiate a subclass."
                    )
                if plan.generated_init is not None:
                    warn_of_transformed_callables(args)
                    warn_of_transformed_callables(kwargs.values())
                _reject_unmet(cls, "abstract class attributes", plan.abstract.class_variables)
                instance = cls.__new__(cls, *args, **kwargs)
                if not isinstance(instance, cls):
                    return instance
                identity = id(instance)
                _initialising.add(identity)
                try:
                    instance.__init__(*args, **kwargs)
                finally:
                    _initialising.discard(identity)
                _reject_unmet(cls, "abstract attributes", plan.abstract.variables)
            if plan.may_be_missing:
                _check_initialised(cls, plan, instance)
            if plan.has_work_after_init:
                _finish(cls, plan, instance)
            return instance

        def __setattr__(cls, name, value):
            if is_method(name, value):
                value = Method(value)
            super().__setattr__(name, value)
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
            signature = inspect.signature(cls.__init__)
            return signature.replace(parameters=list(signature.parameters.values())[1:])

        @property
        def __abstractvars__(cls):
            """The names of the instance attributes that are still abstract."""
            return cls._plan.abstract.variables

        @property
        def __abstractclassvars__(cls):
            """The names of the class attributes that are still abstract."""
            return cls._plan.abstract.class_variables

    def register(cls, subclass: type) -> type:  # type: ignore[override] # there is nothing it could return
        """Virtual subclasses are not possible: what makes a Module is its fields."""
        raise ValueError(
            f"`{cls.__qualname__}.register({getattr(subclass, '__qualname__', subclass)})`: a Module class cannot have "
            "virtual subclasses, which would have neither its fields nor its PyTree structure. Inherit from it instead."
        )


#: Class attributes that a `Plan` was made from.
_PLANNED_NAMES: Final = frozenset({"__init__", "__post_init__", "__new__", "__setattr__", "__check_init__"})


def _gets_generated_init(cls: type) -> bool:
    """Whether `dataclasses` is to write the `__init__`: not if the class has one, or inherits one that a person wrote."""
    if "__init__" in vars(cls):
        return False
    for base in cls.__mro__[1:]:
        if isinstance(base, ModuleMeta):
            return base._plan.generated_init is not None  # type: ignore[attr-defined] # set when the class is made
        if "__init__" in vars(base) and base is not object and not getattr(base, "_is_protocol", False):
            return False
    return True


def _reject_array_defaults(cls: type) -> None:
    # `dataclasses` rejects what has no `__hash__`: lists, dictionaries, NumPy arrays. JAX arrays have one, which raises.
    for name in getattr(cls, "__annotations__", ()):
        default = vars(cls).get(name)
        if isinstance(default, dataclasses.Field):
            default = default.default
        if isinstance(default, jax.Array):
            raise ValueError(
                f"mutable default {describe(default)} for field `{name}` of `{cls.__qualname__}` is not allowed: "
                "use default_factory"
            )


def _complete_generated_init(cls: type, fields: tuple[Any, ...]) -> None:
    """Give the `__init__` that `dataclasses` wrote the right annotations, and its parent's docstring."""
    init: Any = vars(cls)["__init__"]
    for base in cls.__mro__[1:]:
        if "__init__" in vars(base):
            init.__doc__ = vars(base)["__init__"].__doc__ if base is not object else None
            break
    for f in fields:
        if "converter" in f.metadata and f.init:
            init.__annotations__[f.name] = _first_parameter_type(f.metadata["converter"])


def _first_parameter_type(converter: Callable[[Any], Any]) -> Any:
    try:
        parameters = list(inspect.signature(converter).parameters.values())
    except (TypeError, ValueError):  # builtins without a signature
        return Any
    if not parameters or parameters[0].annotation is inspect.Parameter.empty:
        return Any
    return parameters[0].annotation


def _make_plan(
    cls: Any,
    layout: Layout,
    generated_init: Callable[..., None] | None,
    is_abstract: bool,
    abstract: AbstractAttributes,
) -> Plan:
    fields = dataclasses.fields(cls)
    names = frozenset(f.name for f in fields)
    root = [base for base in cls.__mro__ if isinstance(base, ModuleMeta)][-1]
    is_direct = (
        generated_init is not None
        and vars(cls).get("__init__") is generated_init
        and not hasattr(cls, "__post_init__")
        and cls.__new__ is object.__new__
        and cls.__setattr__ is root.__setattr__
        and layout.blank is not None
        and names == frozenset(layout.names)
        and not (is_abstract or cls.__abstractmethods__ or abstract.variables or abstract.class_variables)
    )
    unassigned = [f for f in fields if generated_init is None or not f.init]
    converters = tuple((f.name, f.metadata["converter"]) for f in fields if "converter" in f.metadata)
    not_init = tuple(f.name for f in fields if not f.init and f.name in layout.names)
    check_inits = tuple(vars(base)["__check_init__"] for base in cls.__mro__ if "__check_init__" in vars(base))
    may_be_irregular = any(f.name in layout.defaulted for f in unassigned)
    return Plan(
        layout=layout,
        assignable=names | frozenset(WRAPPER_NAMES),
        generated_init=generated_init,
        direct_init=generated_init if is_direct else None,
        is_abstract=is_abstract,
        abstract=abstract,
        may_be_missing=tuple(f.name for f in unassigned if f.name not in layout.defaulted),
        converters=converters,
        static=layout.static,
        not_init=not_init,
        check_inits=check_inits,
        may_be_irregular=may_be_irregular,
        has_work_after_init=bool(converters or layout.static or not_init or check_inits or may_be_irregular),
    )


def _plan_again(cls: Any) -> None:
    """Follow a change that someone made to a finished class, in that class and those that inherit from it."""
    if "_plan" in vars(cls):
        old = cls._plan
        plan = _make_plan(cls, old.layout, old.generated_init, old.is_abstract, old.abstract)
        type.__setattr__(cls, "_plan", plan)
        for subclass in cls.__subclasses__():
            _plan_again(subclass)


def _reject_unmet(cls: type, what: str, names: frozenset[str]) -> None:
    if names:
        raise TypeError(
            f"Cannot instantiate `{cls.__qualname__}` with {what} {', '.join(f'`{name}`' for name in sorted(names))}: "
            "define them in this class or instantiate a subclass that does."
        )


def _check_initialised(cls: Any, plan: Plan, instance: Any) -> None:
    missing = [name for name in plan.may_be_missing if not hasattr(instance, name)]
    if missing:
        raise UninitialisedFieldError(
            "\n".join(f"Field '{name}' was not initialized." for name in missing)
            + f"\n`{cls.__qualname__}.__init__` ended without assigning {'it' if len(missing) == 1 else 'them'}: every "
            "field of a Module must have a value by then."
        )


def _finish(cls: Any, plan: Plan, instance: Any) -> None:
    """All that follows `__init__`; the instance is immutable by now."""
    for name in plan.not_init:
        if hasattr(instance, name):
            warn_of_uninitialisable_array(cls.__qualname__, name, getattr(instance, name))
    for name, converter in plan.converters:
        object.__setattr__(instance, name, converter(getattr(instance, name)))
    for name in plan.static:
        warn_of_static_array(cls.__qualname__, name, getattr(instance, name))
    if plan.may_be_irregular:
        plan.layout.note_irregular(instance)
    for check_init in plan.check_inits:
        check_init(instance)
