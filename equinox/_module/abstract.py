"""Abstract attributes: a class says that its subclasses must have an attribute, without saying what it is.

`AbstractVar` and `AbstractClassVar` are to attributes what `abc.abstractmethod` is to methods. A class with an
attribute that is still abstract cannot be instantiated.
"""

import dataclasses
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, get_origin

from typing_extensions import Format, get_annotations

__all__ = ["AbstractClassVar", "AbstractVar"]

if TYPE_CHECKING:
    from typing import ClassVar as AbstractClassVar
    from typing import TypeAlias, TypeVar

    _T = TypeVar("_T")
    AbstractVar: TypeAlias = Annotated[_T, "abstract"]
else:

    class AbstractVar:
        """Annotation of an attribute that every concrete subclass must have, as a field or as a property.

        **Example**
        ```python
        >>> class Solver(eqx.Module):
        ...     order: eqx.AbstractVar[int]
        >>> class Euler(Solver):
        ...     order: int = 1
        >>> Euler().order
        1

        ```
        """

        def __class_getitem__(cls, item):
            return _subscript(cls, item)

    class AbstractClassVar:
        """Annotation of an attribute that every concrete subclass must have on the class itself.

        **Example**
        ```python
        >>> class Solver(eqx.Module):
        ...     name: eqx.AbstractClassVar[str]
        >>> class Euler(Solver):
        ...     name = "Euler"
        >>> Euler().name
        'Euler'

        ```
        """

        def __class_getitem__(cls, item):
            return _subscript(cls, item)


def _subscript(kind: Any, item: object) -> Any:
    if isinstance(item, tuple):
        raise TypeError(f"`{kind.__name__}[...]` takes precisely one type, not several as in `{item!r}`.")
    # The kind itself is the mark: `Annotated` flattens when nested, so `Annotated[AbstractVar[T], ...]` has it too.
    return Annotated[item, kind]


def _kind(cls: type, name: str, annotation: Any) -> Any:
    """`AbstractVar`, `AbstractClassVar` or None: what the annotation of one attribute declares."""
    if isinstance(annotation, str):
        annotation = _evaluate(cls, name, annotation)
    if _is_kind(annotation):
        raise TypeError(
            f"Attribute `{name}` of `{cls.__qualname__}` is annotated with unsubscripted `{annotation.__name__}`: "
            f"write `{annotation.__name__}[...]` with the attribute's type."
        )
    if get_origin(annotation) is Annotated:
        marks: tuple[Any, ...] = annotation.__metadata__
        return next(filter(_is_kind, marks), None)
    return None


def _is_kind(value: object) -> bool:
    return value is AbstractVar or value is AbstractClassVar


def _evaluate(cls: type, name: str, annotation: str) -> Any:
    """What a string annotation says about abstract attributes; None if it has nothing to do with them."""
    if re.search(r"\b(AbstractVar|AbstractClassVar)\b", annotation) is None:
        return None
    namespace = dict(vars(sys.modules[cls.__module__])) if cls.__module__ in sys.modules else {}
    # If what stands before the bracket is one of the two, the type inside may as well be a forward reference.
    head, bracket, _ = annotation.partition("[")
    kind = _try_to_evaluate(head, namespace, cls)
    if _is_kind(kind):
        return Annotated[Any, kind] if bracket else kind
    value = _try_to_evaluate(annotation, namespace, cls)
    if value is None:
        raise NotImplementedError(
            f"Attribute `{name}` of `{cls.__qualname__}` has the string annotation {annotation!r}, which cannot be "
            "evaluated when the class is made. Import `AbstractVar` and `AbstractClassVar` at module level, or write "
            "this annotation without quotes (and without `from __future__ import annotations`)."
        )
    return value


def _try_to_evaluate(expression: str, namespace: dict[str, Any], cls: type) -> Any:
    try:
        return eval(expression.strip(), namespace, dict(vars(cls)))
    except (AttributeError, NameError, SyntaxError, TypeError):
        return None


@dataclasses.dataclass(frozen=True)
class AbstractAttributes:
    """The attributes that are still abstract in a class."""

    variables: frozenset[str]
    class_variables: frozenset[str]


def own_abstract_attributes(cls: type) -> dict[str, Any]:
    """The abstract attributes that the body of `cls` itself declares, with their kinds."""
    annotations = get_annotations(cls, format=Format.FORWARDREF)
    own = {name: kind for name, value in annotations.items() if (kind := _kind(cls, name, value)) is not None}
    for name, kind in own.items():
        if name in vars(cls):
            raise TypeError(
                f"Abstract attribute `{name}` of `{cls.__qualname__}` cannot have value {vars(cls)[name]!r}: an "
                f"`{kind.__name__}` has none. Drop the value, or the annotation's `{kind.__name__}`."
            )
    return own


def unmet_abstract_attributes(cls: type) -> AbstractAttributes:
    """Walk the MRO from base to derived and say which attributes remain abstract in `cls`."""
    unmet: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base is object:
            continue
        for name, annotation in get_annotations(base, format=Format.FORWARDREF).items():
            kind = _kind(base, name, annotation)
            if kind is None:
                # A `ClassVar` without a value promises a class attribute, which is no instance attribute.
                if not (_is_classvar(annotation) and unmet.get(name) is AbstractVar):
                    unmet.pop(name, None)
            elif not (kind is AbstractVar and unmet.get(name) is AbstractClassVar):
                unmet[name] = kind
        for name in vars(base):
            unmet.pop(name, None)
    return AbstractAttributes(
        frozenset(name for name, kind in unmet.items() if kind is AbstractVar),
        frozenset(name for name, kind in unmet.items() if kind is AbstractClassVar),
    )


def _is_classvar(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.partition("[")[0].rpartition(".")[2].strip() == "ClassVar"
    return annotation is ClassVar or get_origin(annotation) is ClassVar


@contextmanager
def hidden_annotations(cls: type, names: set[str]) -> Generator[None]:
    """Hide some annotations of `cls` for a while.

    `dataclasses` must make no field of an abstract attribute, not even a `ClassVar` pseudo-field, which would fix the
    position of the concrete field that comes later.
    """
    if not names:
        yield
        return
    annotate = getattr(cls, "__annotate__", None)  # as of Python 3.14, the function that computes the annotations
    annotations = get_annotations(cls, format=Format.FORWARDREF)
    cls.__annotations__ = {name: value for name, value in annotations.items() if name not in names}
    try:
        yield
    finally:
        if annotate is None:
            cls.__annotations__ = annotations
        else:
            cls.__annotate__ = annotate  # type: ignore[attr-defined] # there on Python 3.14
