"""Making an instance of a Module class: from the arguments of the call to an object that is complete and immutable."""

import dataclasses
import operator
from collections.abc import Callable
from dataclasses import MISSING
from typing import Any, Final

from .._errors import describe
from .abstract import AbstractAttributes
from .flatten import Layout, run_generated
from .suspicious import (
    PLAIN_TYPES,
    warn_of_static_array,
    warn_of_transformed_callables,
    warn_of_uninitialisable_array,
)

_new: Final = object.__new__


class UninitialisedFieldError(TypeError, ValueError):
    """A Module's `__init__` ended without assigning every field."""


@dataclasses.dataclass(frozen=True)
class FieldWork:
    """What is to be done about one field once `__init__` has ended."""

    name: str
    converter: Callable[[Any], Any] | None
    is_static: bool
    is_init: bool


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything about a Module class that making an instance needs, found out once."""

    layout: Layout
    #: The `__init__` that `dataclasses` wrote for the class; None if a person wrote the one that it inherits or has.
    generated_init: Callable[..., None] | None
    is_abstract: bool
    abstract: AbstractAttributes
    #: Whether the generated `__init__` is the one that runs, so that the arguments of the call become the fields.
    takes_fields: bool
    #: What the generated `__init__` does, done past the check that makes Modules immutable; None if it does more.
    quick_init: Callable[..., None] | None
    has_own_new: bool
    #: The names of the fields: what may be assigned to while `__init__` runs.
    assignable: frozenset[str]
    #: The fields that may be missing when `__init__` has ended, and a function that reads them all.
    required: tuple[str, ...]
    read_required: Callable[[Any], Any] | None
    #: The fields that may remain missing, because the class has a default.
    optional: frozenset[str]
    field_work: tuple[FieldWork, ...]
    check_inits: tuple[Callable[[Any], None], ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return PickledPlan, (self.generated_init, self.is_abstract, self.abstract)


@dataclasses.dataclass(frozen=True)
class PickledPlan:
    """What cannot be found out again about a class of which the whole definition was pickled, as `cloudpickle` does."""

    generated_init: Callable[..., None] | None
    is_abstract: bool
    abstract: AbstractAttributes


def make_plan(
    cls: Any,
    layout: Layout,
    generated_init: Callable[..., None] | None,
    is_abstract: bool,
    abstract: AbstractAttributes,
) -> Plan:
    """Find out how instances of `cls` are to be made."""
    namespaces: list[dict[str, Any]] = [vars(base) for base in cls.__mro__]
    fields = dataclasses.fields(cls)
    stored = [f for f in fields if f.name in layout.names]
    takes_fields = generated_init is not None and vars(cls).get("__init__") is generated_init
    unassigned = [f.name for f in stored if not (takes_fields and f.init)]
    required = tuple(name for name in unassigned if name not in layout.defaulted)
    work = [
        FieldWork(f.name, f.metadata.get("converter"), f.name in layout.static, f.init)
        for f in stored
        if "converter" in f.metadata or f.name in layout.static or not f.init
    ]
    return Plan(
        layout=layout,
        generated_init=generated_init,
        is_abstract=is_abstract,
        abstract=abstract,
        takes_fields=takes_fields,
        quick_init=_quick_init(cls, generated_init) if takes_fields else None,
        has_own_new=cls.__new__ is not object.__new__,
        assignable=frozenset(f.name for f in fields),
        required=required,
        read_required=operator.attrgetter(*required) if required else None,
        optional=layout.defaulted.intersection(unassigned),
        field_work=tuple(work),
        check_inits=tuple(namespace["__check_init__"] for namespace in namespaces if "__check_init__" in namespace),
    )


def _quick_init(cls: Any, init: Any) -> Callable[..., None] | None:
    setters = [base for base in cls.__mro__ if "__setattr__" in vars(base)]
    if len(setters) > 2 or hasattr(cls, "__post_init__"):  # There always are `Module` and `object`.
        return None
    code = init.__code__
    instance, *parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    fields = dataclasses.fields(cls)
    if {f.name for f in fields} != set(parameters) or any(f.default_factory is not MISSING for f in fields):
        return None
    keyword_only = parameters[code.co_argcount - 1 :]
    signature = [instance, *parameters[: code.co_argcount - 1], *(["*", *keyword_only] if keyword_only else [])]
    source = [f"def __init__({', '.join(signature)}):"]
    source += [f"    __setattr__({instance}, {name!r}, {name})" for name in parameters] or ["    pass"]
    namespace: dict[str, Any] = {"__setattr__": object.__setattr__}
    run_generated(source, cls, namespace)
    quick_init: Any = namespace["__init__"]
    for name in ("__qualname__", "__defaults__", "__kwdefaults__"):
        setattr(quick_init, name, getattr(init, name))
    return quick_init  # type: ignore[no-any-return] # it was generated


#: The identities of the instances whose `__init__` is running, which are the only ones that can be assigned to.
#: Identities are unique among living objects, so this is right for nested constructions and any number of threads.
initialising: Final[dict[int, Plan]] = {}


def construct(cls: Any, /, *args: Any, **kwargs: Any) -> Any:
    """Call a Module class."""
    plan: Plan = cls.__module_plan__
    if plan.is_abstract:
        raise TypeError(
            f"Cannot instantiate abstract Module `{cls.__qualname__}`: it was declared with `is_abstract=True`. "
            "Instantiate a subclass."
        )
    if plan.takes_fields:
        for value in args:
            if type(value) not in PLAIN_TYPES:
                warn_of_transformed_callables(args)
                break
        if kwargs:
            warn_of_transformed_callables(kwargs.values())
    if plan.abstract.class_variables:
        raise _unmet(cls, "abstract class attributes", plan.abstract.class_variables)
    if plan.has_own_new:
        instance = cls.__new__(cls, *args, **kwargs)
        if not isinstance(instance, cls):
            return instance
        plan = instance.__module_plan__  # of its class, which may be a subclass
    else:
        instance = _new(cls)
    if plan.quick_init is not None:
        plan.quick_init(instance, *args, **kwargs)
    else:
        identity = id(instance)
        initialising[identity] = plan
        try:
            returned = instance.__init__(*args, **kwargs)
        finally:
            initialising.pop(identity, None)
        if returned is not None:
            raise TypeError(f"`{cls.__qualname__}.__init__` should return None, not {describe(returned)}.")
    if plan.abstract.variables:
        raise _unmet(cls, "abstract attributes", plan.abstract.variables)
    if plan.read_required is not None:
        try:
            plan.read_required(instance)
        except AttributeError:
            _reject_missing(cls, plan, instance)
    if plan.field_work:
        _work_on_fields(cls, plan, instance)
    if plan.optional:
        _note_if_irregular(plan, instance)
    for check_init in plan.check_inits:
        check_init(instance)
    return instance


def _unmet(cls: type, what: str, names: frozenset[str]) -> TypeError:
    return TypeError(
        f"Cannot instantiate `{cls.__qualname__}` with {what} {', '.join(f'`{name}`' for name in sorted(names))}: "
        "define them in this class or instantiate a subclass that does."
    )


def _reject_missing(cls: type, plan: Plan, instance: Any) -> None:
    missing = [name for name in plan.required if not hasattr(instance, name)]
    raise UninitialisedFieldError(
        "\n".join(f"Field '{name}' was not initialized." for name in missing)
        + f"\n`{cls.__qualname__}.__init__` ended without assigning {'it' if len(missing) == 1 else 'them'}: every "
        "field of a Module must have a value by then."
    )


def _work_on_fields(cls: type, plan: Plan, instance: Any) -> None:
    for work in plan.field_work:
        value = getattr(instance, work.name)
        if not work.is_init:
            warn_of_uninitialisable_array(cls.__qualname__, work.name, value)
        if work.converter is not None:
            value = work.converter(value)
            object.__setattr__(instance, work.name, value)
        if work.is_static:
            warn_of_static_array(cls.__qualname__, work.name, value)


def _note_if_irregular(plan: Plan, instance: Any) -> None:
    # Until Python 3.12, an instance whose dictionary was asked for is slow to read ever after, unless it gets another.
    attributes: dict[str, Any] = {**vars(instance)}
    object.__setattr__(instance, "__dict__", attributes)
    if not plan.optional <= attributes.keys():
        plan.layout.note_irregular()
