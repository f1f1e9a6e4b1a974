"""Which Modules of a model are at work: the Module whose method a frame runs, and its place in the tree.

Nothing in a model takes part in this. Python's frames say which objects have methods running; and a Module that JAX has
taken apart and put together again is recognised by what it looks like.
"""

import inspect
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, Final, TypeAlias

import jax

from ._jax_tree import keystr, tree_structure
from ._module import BoundMethod, Module
from ._transforms.wrapped import BoundWrapped, Wrapped
from ._tree.one_level import flatten_one_level_with_path
from ._tree.predicates import is_array

_PyTree: TypeAlias = Any

NodePath: TypeAlias = tuple[str, ...]
"""The key path to a node: its entries as they are written, `(".layers", "[3]")`."""

TRANSPARENT: Final = (BoundMethod, BoundWrapped, Wrapped)
"""Parts of the machinery rather than of a model: a jitted function, a method with its instance."""


class Nodes:
    """The Modules in some trees, and the key paths to them."""

    def __init__(self, roots: Sequence[tuple[str, _PyTree]]) -> None:
        #: By identity. The Modules are kept as well, because an address can be used again after an object has gone.
        self._known: dict[int, tuple[NodePath, Module]] = {}
        for name, tree in roots:
            self._add(tree, (name,) if name else ())

    def _add(self, tree: _PyTree, path: NodePath) -> None:
        self._known |= {id(module): (found, module) for found, module in modules_in(tree, path)}

    def find(self, module: Module, near: NodePath) -> NodePath | None:
        """Find the key path to a Module, which may be another object than the node of the tree.

        JAX and this library take Modules apart and put them together again around other tracers. So if it is no known
        node itself, some may look the same, preferably below `near`, the path to the Module that was found before. The
        place of a transparent Module is that of the first known node in it.
        """
        candidates = modules_in(module) if isinstance(module, TRANSPARENT) else [((), module)]
        for _, candidate in candidates:
            if id(candidate) in self._known:
                return self._known[id(candidate)][0]
        degrees = {path: likeness(module, known) for path, known in self._known.values()}
        alike = [path for path, degree in degrees.items() if degree > 0]
        alike = [path for path in alike if path[: len(near)] == near] or alike
        if not alike:
            return None
        best = max(degrees[path] for path in alike)
        path = _merge([path for path in alike if degrees[path] == best])
        self._add(module, path)
        return path


def modules_in(tree: _PyTree, path: NodePath = ()) -> Iterator[tuple[NodePath, Module]]:
    """The Modules in a tree, and their key paths; without the wrappers of this library, which are no part of a model.

    **Arguments**

    - `tree`: any PyTree.
    - `path`: its own key path, with which all of those begin.
    """
    is_transparent = isinstance(tree, TRANSPARENT)
    if isinstance(tree, Module) and not is_transparent:
        yield path, tree
    for key_path, child in flatten_one_level_with_path(tree)[0]:
        if key_path:  # a leaf is its own child
            yield from modules_in(child, path if is_transparent else (*path, keystr(key_path)))


def likeness(module: Module, known: Module) -> int:
    """Whether one Module may be the other with other tracers in it: no (0), yes (2), or as one slice of it (1)."""
    if type(module) is not type(known):
        return 0
    try:
        if tree_structure(module) != tree_structure(known):
            return 0
    except Exception:  # noqa: BLE001 # the structure holds the user's objects, whose `==` may do anything
        return 0
    leaves = zip(jax.tree.leaves(module), jax.tree.leaves(known), strict=True)
    shapes = [(x.shape, y.shape) for x, y in leaves if is_array(x) and is_array(y)]
    if all(found == whole for found, whole in shapes):
        return 2
    # `vmap` and `scan` take slices along the leading axis unless they are told otherwise.
    return int(all(found == whole[len(whole) - len(found) :] for found, whole in shapes))


def _merge(paths: Sequence[NodePath]) -> NodePath:
    """One path for several: `[*]` and `.*` are entries that differ. If they differ in length, it is their start."""
    entries: list[str] = []
    for column in zip(*paths, strict=False):
        if len(set(column)) == 1:
            entries.append(column[0])
        elif len({len(path) for path in paths}) == 1:
            entries.append("[*]" if column[0].startswith("[") else ".*")
        else:
            break
    return tuple(entries)


def receiver(frame: FrameType) -> Module | None:
    """The Module that a frame runs a method of, or the wrapper of a method, as annotations are checked with."""
    found = inspect.getargvalues(frame)
    positional = found.args[: frame.f_code.co_argcount]
    if positional[:1] == ["self"]:
        module = found.locals.get("self")
        return module if isinstance(module, Module) else None
    if positional or found.varargs is None:
        return None
    arguments: tuple[Any, ...] = found.locals.get(found.varargs, ())
    module = arguments[0] if arguments else None
    if not isinstance(module, Module):
        return None
    classes = {cls.__qualname__ for cls in type(module).__mro__}
    # A function that merely gets a Module as its first argument, such as a loss, is none of its methods.
    methods = (getattr(value, "__qualname__", None) for value in found.locals.values() if inspect.isfunction(value))
    is_method = any(isinstance(name, str) and name.rpartition(".")[0] in classes for name in methods)
    return module if is_method else None
