"""How a class becomes a PyTree node: the functions that take it apart and put it together are straight-line code.

For `class Linear` with the children `weight`, `bias` and the static field `size`, this is all that is generated:

```python
def flatten(module):
    try:
        return (module.weight, module.bias), (module.size,)
    except AttributeError:
        pass
    return flatten_irregular(module)

def unflatten(aux, children):
    x0, x1 = children
    x2, = aux
    module = Blank()
    module.weight = x0
    module.bias = x1
    module.size = x2
    module.__class__ = Linear
    return module

def join(first, second):
    if type(second) is not Linear or (first.size,) != (second.size,):
        raise StructureMismatchError
    x0 = x if type(x := first.weight) in ARRAYS else join_any(x, second.weight)
    x1 = x if type(x := first.bias) in ARRAYS else join_any(x, second.bias)
    x2 = first.size
    ...
    return module
```

(`join` is what `combine` does to two instances. It ends like `unflatten`.)

A `Blank` is an object without behaviour that attributes can be given to; becoming an instance of the class is the last
thing that happens to it. (Going through `object.__setattr__`, attribute by attribute, takes three times as long.) Each
class has a `Blank` of its own, so that Python lets its instances share the names of their attributes.

An *irregular* instance has attributes other than exactly the class's fields: a field with a default that `__init__`
never assigned and that therefore is read from the class, or the name and docstring that `module_update_wrapper` gave
it. Most classes never have one. When a class meets its first, `flatten` and `unflatten` get other code, which looks out
for irregular instances before it does the same, and `join` is given up.
"""

import dataclasses
import itertools
import linecache
import types
from collections.abc import Callable, Iterable
from typing import Any, Final

import jax.tree_util as jtu

from .._tree.join import StructureMismatchError, join, joiners
from .._tree.predicates import JAX_ARRAY_TYPES

#: The attributes of a function that a Module which wraps a function takes over.
WRAPPER_NAMES: Final = ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__")

_counter: Final = itertools.count()


class WrapperNames:
    """The wrapper names of one instance, as part of its treedef: compared by value, and with a hash."""

    __slots__ = ("values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return type(other) is WrapperNames and self.values == other.values

    def __hash__(self) -> int:
        # Annotations are a dictionary, which has no hash.
        return hash((self.values.get("__name__"), self.values.get("__qualname__")))


@dataclasses.dataclass(frozen=True)
class Irregular:
    """The static part of an irregular instance."""

    children: tuple[str, ...]
    static: tuple[tuple[str, Any], ...]
    names: WrapperNames


class Layout:
    """The attributes of a class's instances, and how instances are taken apart and put together."""

    cls: type
    #: The names of the fields: the children of the PyTree, the static ones, and both, in definition order.
    children: tuple[str, ...]
    static: tuple[str, ...]
    names: tuple[str, ...]
    #: Fields that an instance may lack because they can be read from the class.
    defaulted: frozenset[str]
    #: Makes what instances are before they are instances of the class. None if its memory layout rules that out.
    blank: Callable[[], Any] | None
    flatten: Callable[[Any], tuple[tuple[Any, ...], Any]]
    unflatten: Callable[[Any, Iterable[Any]], Any]

    def __init__(self, cls: type, fields: tuple[dataclasses.Field[Any], ...]) -> None:
        self.cls = cls
        self._has_irregular = False
        # The global variables of the generated code.
        self._namespace: dict[str, Any] = {
            "flatten_irregular": self._flatten_irregular,
            "unflatten_irregular": self._unflatten_irregular,
            "Irregular": Irregular,
            "new": object.__new__,
            "fill": self.fill,
            "cls": cls,
            "StructureMismatchError": StructureMismatchError,
            "ARRAYS": JAX_ARRAY_TYPES,
            "join_any": join,
        }
        self._take(fields)
        self.flatten = self._namespace["flatten"]
        self.unflatten = self._namespace["unflatten"]
        jtu.register_pytree_with_keys(cls, self._flatten_with_keys, self.unflatten, flatten_func=self.flatten)

    def _take(self, fields: tuple[dataclasses.Field[Any], ...]) -> None:
        cls = self.cls
        on_class = {f.name: _class_attribute(cls, f.name) for f in fields}
        slots = {name for name, found in on_class.items() if isinstance(found, types.MemberDescriptorType)}
        # Where a property takes the place of a field, nothing is stored.
        stored = [f for f in fields if f.name in slots or not hasattr(type(on_class[f.name]), "__set__")]
        self.children = tuple(f.name for f in stored if not f.metadata.get("static", False))
        self.static = tuple(f.name for f in stored if f.metadata.get("static", False))
        self.names = tuple(f.name for f in stored)
        self.defaulted = frozenset(f.name for f in stored if on_class[f.name] is not _absent) - slots
        self.blank = None if slots else _blank_for(cls)
        self._slots = slots
        self._keys = _keys(self.children)
        self._variables = {name: f"x{i}" for i, name in enumerate(self.names)}
        self._namespace["Blank"] = self.blank
        run_generated(self._source(), cls, self._namespace)
        joiners[cls] = self._namespace["join"]

    def take(self, fields: tuple[dataclasses.Field[Any], ...]) -> None:
        """Follow a class that gets its fields only after it was made."""
        self._has_irregular = False
        self._take(fields)
        self._exchange_code()

    def note_irregular(self) -> None:
        """Make the generated code look out for irregular instances from now on."""
        if not self._has_irregular:
            self._has_irregular = True
            del joiners[self.cls]
            run_generated(self._source(), self.cls, self._namespace)
            self._exchange_code()

    def _exchange_code(self) -> None:
        # JAX holds on to the functions themselves, whose code can be exchanged.
        functions: tuple[Any, ...] = (self.flatten, self.unflatten)
        for function in functions:
            function.__code__ = self._namespace[function.__name__].__code__

    def fill(self, module: Any, attributes: dict[str, Any]) -> None:
        """Give a new instance its attributes, past the check that makes Modules immutable."""
        if self._slots:
            for name, value in attributes.items():
                object.__setattr__(module, name, value)
        else:
            object.__setattr__(module, "__dict__", attributes)

    def _source(self) -> list[str]:
        return [*self._flatten_source(), "", *self._unflatten_source(), "", *self._join_source()]

    def _flatten_source(self) -> list[str]:
        irregular = ["    return flatten_irregular(module)"]
        if self._has_irregular:
            return ["def flatten(module):", *irregular]
        children, static = _tuple_of("module", self.children), _tuple_of("module", self.static)
        return [
            "def flatten(module):",
            "    try:",
            f"        return {children}, {static}",
            "    except AttributeError:",
            "        pass",
            *irregular,
        ]

    def _unflatten_source(self) -> list[str]:
        lines = ["def unflatten(aux, children):"]
        if self._has_irregular:
            lines += ["    if type(aux) is Irregular:", "        return unflatten_irregular(aux, children)"]
        for names, values in ((self.children, "children"), (self.static, "aux")):
            if names:
                lines.append(f"    {', '.join(self._variables[name] for name in names)}, = {values}")
        return [*lines, *self._build_source()]

    def _join_source(self) -> list[str]:
        differs = "type(second) is not cls"
        if self.static:
            differs += f" or {_tuple_of('first', self.static)} != {_tuple_of('second', self.static)}"
        lines = ["def join(first, second):", f"    if {differs}:", "        raise StructureMismatchError"]
        for name in self.children:
            child = f"x if type(x := first.{name}) in ARRAYS else join_any(x, second.{name})"
            lines.append(f"    {self._variables[name]} = {child}")
        lines += [f"    {self._variables[name]} = first.{name}" for name in self.static]
        return [*lines, *self._build_source()]

    def _build_source(self) -> list[str]:
        """Make an instance of the variables."""
        if self.blank is None:
            attributes = ", ".join(f"{name!r}: {variable}" for name, variable in self._variables.items())
            lines = ["    module = new(cls)", f"    fill(module, {{{attributes}}})"]
        else:
            lines = ["    module = Blank()"]
            lines += [f"    module.{name} = {variable}" for name, variable in self._variables.items()]
            lines.append("    module.__class__ = cls")
        return [*lines, "    return module"]

    def _flatten_with_keys(self, module: Any) -> tuple[tuple[tuple[Any, Any], ...], Any]:
        children, aux = self.flatten(module)
        keys = _keys(aux.children) if type(aux) is Irregular else self._keys
        return tuple(zip(keys, children, strict=True)), aux

    def _flatten_irregular(self, module: Any) -> tuple[tuple[Any, ...], Any]:
        stored = {name: getattr(module, name) for name in self.names if self._has(module, name)}
        present = tuple(name for name in self.children if name in stored)
        static = tuple((name, stored[name]) for name in self.static if name in stored)
        names: dict[str, Any] = {
            name: vars(module)[name] for name in WRAPPER_NAMES if name in vars(module).keys() - stored
        }
        children = tuple(stored[name] for name in present)
        if len(stored) == len(self.names) and not names:
            return children, tuple(value for _, value in static)
        self.note_irregular()
        return children, Irregular(present, static, WrapperNames(names))

    def _has(self, module: Any, name: str) -> bool:
        return name in vars(module) or (name in self._slots and hasattr(module, name))

    def _unflatten_irregular(self, aux: Irregular, children: Iterable[Any]) -> Any:
        cls: Any = self.cls
        module = object.__new__(cls)
        self.fill(module, dict(zip(aux.children, children, strict=True)) | dict(aux.static) | aux.names.values)
        return module


def _tuple_of(variable: str, attributes: tuple[str, ...]) -> str:
    return f"({''.join(f'{variable}.{name}, ' for name in attributes)})"


def _keys(names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(map(jtu.GetAttrKey, names))


def run_generated(source: list[str], cls: type, namespace: dict[str, Any]) -> None:
    """Run code that was generated for a class, so that tracebacks and debuggers can show it."""
    filename = f"<equinox code {next(_counter)} of {cls.__module__}.{cls.__qualname__}>"
    text = "\n".join([*source, ""])
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    exec(compile(text, filename, "exec"), namespace)


def _blank_for(cls: type) -> Callable[[], Any] | None:
    """A class without behaviour whose instances can become instances of `cls`, if there can be one."""
    # Assigning `__class__` demands that both classes add the same memory to the same base. What a Module's instances
    # have beyond a bare object is the instance dictionary, which the last class of this walk brought in.
    root = cls
    while root.__base__ is not None and root.__base__.__dictoffset__ != 0:
        root = root.__base__
    base = root.__base__ or object
    # (`__hash__` because that base is `collections.abc.Hashable`, whose one abstract method it is.)
    metaclass: Any = type(base)
    blank: type[Any] = metaclass("Blank", (base,), {"__module__": __name__, "__hash__": object.__hash__})
    try:
        object.__setattr__(blank(), "__class__", cls)
    except TypeError:
        return None
    return blank


_absent: Final = object()


def _class_attribute(cls: type, name: str) -> object:
    """What the class itself has under `name`, without binding it."""
    for base in cls.__mro__:
        if name in vars(base):
            return vars(base)[name]
    return _absent
