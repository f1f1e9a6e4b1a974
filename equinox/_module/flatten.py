"""How a class becomes a PyTree node: its flatten and unflatten functions are generated as straight-line code.

For `class Linear` with the children `weight`, `bias` and the static field `size`, this is all that is generated:

```python
def flatten(module):
    if irregular:
        return flatten_irregular(module)
    try:
        return (module.weight, module.bias), (module.size,)
    except AttributeError:
        return flatten_irregular(module)

def unflatten(aux, children):
    if irregular and type(aux) is Irregular:
        return unflatten_irregular(aux, children)
    x0, x1 = children
    x2, = aux
    module = Blank()
    module.__dict__ = {"weight": x0, "bias": x1, "size": x2}
    module.__class__ = Linear
    return module
```

and `flatten_with_keys`, which pairs each child with its `GetAttrKey`. The source is found by tracebacks and debuggers
under the file name in `flatten.__code__.co_filename`.

A `Blank` is an object without behaviour that attributes can be given to; becoming an instance of the class is the last
thing that happens to it. (Going through `object.__setattr__`, attribute by attribute, takes twice as long.)

An *irregular* instance has attributes other than exactly the class's fields: a field with a default that `__init__`
never assigned and that therefore is read from the class, or the name and docstring that `module_update_wrapper` gave it.
Classes have none of these until the first one is met, and `irregular` stays False for them.
"""

import dataclasses
import itertools
import linecache
import types
from collections.abc import Callable, Iterable
from typing import Any, Final

import jax.tree_util as jtu


#: The attributes of a function that a Module which wraps a function takes over.
WRAPPER_NAMES: Final = ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__")

_class_counter: Final = itertools.count()


class WrapperNames:
    """The wrapper names of one instance, as part of its treedef: compared by value, hashable although annotations are not."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return type(other) is WrapperNames and self.values == other.values

    def __hash__(self) -> int:
        return hash((self.values.get("__name__"), self.values.get("__qualname__")))


@dataclasses.dataclass(frozen=True)
class Irregular:
    """The static part of an irregular instance."""

    children: tuple[str, ...]
    static: tuple[tuple[str, Any], ...]
    names: WrapperNames


@dataclasses.dataclass(frozen=True)
class Layout:
    """The attributes of a class's instances, and how instances are taken apart and put together."""

    cls: type
    children: tuple[str, ...]
    static: tuple[str, ...]
    names: tuple[str, ...]  # both, in definition order
    #: Attributes that may be missing from an instance because the class has a default for them.
    defaulted: frozenset[str]
    #: What instances are before they are instances of the class; None for classes whose memory layout rules it out.
    blank: Callable[[], Any] | None
    #: The global variables of the generated code, which hold the flag `irregular`.
    namespace: dict[str, Any]

    def note_irregular(self, module: Any) -> None:
        """Make the generated code look out for irregular instances, if `module` is one."""
        if not self.namespace["irregular"]:
            attributes = vars(module)
            if any(name not in attributes for name in self.defaulted) or any(
                name in attributes for name in WRAPPER_NAMES
            ):
                self.namespace["irregular"] = True

    def fill(self, module: Any, attributes: dict[str, Any]) -> None:
        """Give a new object its attributes, past the check that makes Modules immutable."""
        for name, value in attributes.items():
            object.__setattr__(module, name, value)

    def flatten_irregular(self, module: Any) -> tuple[tuple[Any, ...], Any]:
        children, aux, _ = self._flatten_irregular(module)
        return children, aux

    def flatten_irregular_with_keys(self, module: Any) -> tuple[tuple[tuple[Any, Any], ...], Any]:
        children, aux, present = self._flatten_irregular(module)
        return tuple((jtu.GetAttrKey(name), child) for name, child in zip(present, children, strict=True)), aux

    def _flatten_irregular(self, module: Any) -> tuple[tuple[Any, ...], Any, tuple[str, ...]]:
        attributes = vars(module)
        stored = {
            name: getattr(module, name) for name in self.names if name in attributes or self._is_slot(module, name)
        }
        present = tuple(name for name in self.children if name in stored)
        static = tuple((name, stored[name]) for name in self.static if name in stored)
        names = {name: attributes[name] for name in WRAPPER_NAMES if name in attributes and name not in stored}
        children = tuple(stored[name] for name in present)
        if len(stored) == len(self.names) and not names:
            return children, tuple(value for _, value in static), present
        self.namespace["irregular"] = True
        return children, Irregular(present, static, WrapperNames(names)), present

    def _is_slot(self, module: Any, name: str) -> bool:
        return name in self.namespace["slots"] and hasattr(module, name)

    def unflatten_irregular(self, aux: Irregular, children: Iterable[Any]) -> Any:
        module = object.__new__(self.cls)
        self.fill(module, dict(zip(aux.children, children, strict=True)) | dict(aux.static) | aux.names.values)
        return module


def _blank_for(cls: type) -> Callable[[], Any] | None:
    """A class without behaviour whose instances can become instances of `cls`, if there can be one."""
    # Assigning `__class__` demands that both classes add the same memory to the same base. What a Module's instances
    # have beyond a bare object is the instance dictionary, which the last class of this walk brought in.
    root = cls
    while root.__base__ is not None and root.__base__.__dictoffset__ != 0:
        root = root.__base__
    # (`__hash__` because that base is `collections.abc.Hashable`, whose one abstract method it is.)
    namespace = {"__module__": __name__, "__hash__": object.__hash__}
    blank: Any = types.new_class("Blank", (root.__base__ or object,), exec_body=lambda body: body.update(namespace))
    try:
        object.__setattr__(blank(), "__class__", cls)
    except TypeError:
        return None
    return blank  # type: ignore[no-any-return]


def register(cls: type, fields: Iterable[Any]) -> Layout:
    """Generate the code for `cls`, whose dataclass fields are `fields`, and register it with JAX."""
    children: list[str] = []
    static: list[str] = []
    defaulted: set[str] = set()
    slots: set[str] = set()
    for field in fields:
        found = _class_attribute(cls, field.name)
        if type(found).__name__ == "member_descriptor":
            slots.add(field.name)
        elif hasattr(type(found), "__set__"):
            continue  # overridden by a property: nothing is stored
        elif found is not _absent:
            defaulted.add(field.name)
        (static if field.metadata.get("static", False) else children).append(field.name)

    names = tuple(field.name for field in fields if field.name in {*children, *static})
    namespace: dict[str, Any] = {"irregular": False, "Irregular": Irregular, "cls": cls, "slots": slots}
    blank = None if slots else _blank_for(cls)
    layout = Layout(cls, tuple(children), tuple(static), names, frozenset(defaulted), blank, namespace)
    namespace |= {
        "Blank": blank,
        "new": object.__new__,
        "fill": layout.fill,
        "flatten_irregular": layout.flatten_irregular,
        "flatten_irregular_with_keys": layout.flatten_irregular_with_keys,
        "unflatten_irregular": layout.unflatten_irregular,
    }
    namespace |= {f"key{i}": jtu.GetAttrKey(name) for i, name in enumerate(children)}
    source = _source(layout)
    filename = f"<equinox PyTree code {next(_class_counter)} of {cls.__module__}.{cls.__qualname__}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), namespace)
    jtu.register_pytree_with_keys(
        cls, namespace["flatten_with_keys"], namespace["unflatten"], flatten_func=namespace["flatten"]
    )
    return layout


def _source(layout: Layout) -> str:
    def read(names: Iterable[str]) -> str:
        return "".join(f"module.{name}, " for name in names)

    variables = {name: f"x{i}" for i, name in enumerate((*layout.children, *layout.static))}
    keyed = "".join(f"(key{i}, module.{name}), " for i, name in enumerate(layout.children))
    lines = []
    for function, children in (("flatten", read(layout.children)), ("flatten_with_keys", keyed)):
        irregular = function.replace("flatten", "flatten_irregular")
        lines += [
            f"def {function}(module):",
            "    if irregular:",
            f"        return {irregular}(module)",
            "    try:",
            f"        return ({children}), ({read(layout.static)})",
            "    except AttributeError:",
            f"        return {irregular}(module)",
            "",
        ]
    lines += [
        "def unflatten(aux, children):",
        "    if irregular and type(aux) is Irregular:",
        "        return unflatten_irregular(aux, children)",
    ]
    for names, values in ((layout.children, "children"), (layout.static, "aux")):
        if names:
            lines.append(f"    {''.join(f'{variables[name]}, ' for name in names)}= {values}")
    attributes = ", ".join(f"{name!r}: {variables[name]}" for name in layout.names)
    if layout.blank is None:
        lines += ["    module = new(cls)", f"    fill(module, {{{attributes}}})"]
    else:
        lines += ["    module = Blank()", f"    module.__dict__ = {{{attributes}}}", "    module.__class__ = cls"]
    lines += ["    return module", ""]
    return "\n".join(lines)


_absent: Final = object()


def _class_attribute(cls: type, name: str) -> Any:
    """What the class itself has under `name`, without binding it."""
    for base in cls.__mro__:
        if name in vars(base):
            return vars(base)[name]
    return _absent
