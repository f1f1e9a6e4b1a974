"""How PyTorch calls the parameters of a model: by the attributes, and places in containers, that lead to them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, TypeGuard, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import locate
from .._jax_tree import KeyPath, keystr
from .._transforms.eval_shape import is_abstract
from .._tree.at import tree_at
from .._tree.one_level import flatten_one_level_with_path, is_tree_leaf
from ._feed_forward import FeedForward
from ._sequential import Sequential
from ._shared import Shared
from ._torch_layouts import Arrays, NumPyArray, layout_of
from ._transformer_decoder import TransformerDecoderLayer
from ._transformer_encoder import TransformerEncoderLayer
from ._transformer_layer import TransformerLayer

_T = TypeVar("_T")
_PyTree: TypeAlias = Any


_RENAMED: dict[type, dict[str, str]] = {
    TransformerEncoderLayer: {
        "self_attention": "self_attn",
        "feed_forward.hidden": "linear1",
        "feed_forward.output": "linear2",
        "self_attention_norm": "norm1",
        "feed_forward_norm": "norm2",
    },
    TransformerDecoderLayer: {
        "self_attention": "self_attn",
        "cross_attention": "multihead_attn",
        "feed_forward.hidden": "linear1",
        "feed_forward.output": "linear2",
        "self_attention_norm": "norm1",
        "cross_attention_norm": "norm2",
        "feed_forward_norm": "norm3",
    },
}

_PYTREE = jax.tree_util.GetAttrKey("pytree")


class Entry(NamedTuple):
    """An array of a PyTorch model, and where in the model here it belongs."""

    name: str
    array: NumPyArray
    path: KeyPath


def entries(node: _PyTree, path: KeyPath) -> Iterator[Entry]:
    """PyTorch's arrays for a part of the model, with names relative to that part."""
    layout = layout_of(node)
    if layout is not None:
        try:
            arrays = layout.to_torch(node)
        except ValueError as error:
            raise ValueError(f"{locate('layer', path)}: {error}") from None
        yield from (Entry(name, array, path) for name, array in arrays.items())
    elif _is_shared(node):
        yield from entries(node(), (*path, _PYTREE))
    elif is_tree_leaf(node):
        if is_numeric(node):
            yield Entry("", node, path)
    else:
        for name, key, child in _children(node):
            for entry in entries(child, (*path, *key)):
                yield entry._replace(name=".".join(filter(None, (name, entry.name))))


def loaded(node: _PyTree, path: KeyPath, arrays: Arrays) -> _PyTree:
    """A part of the model with new numbers, given by names relative to that part."""
    layout = layout_of(node)
    if layout is not None:
        return _with_attributes(node, layout.from_torch(node, arrays))
    if _is_shared(node):
        return _loaded_shared(node, path, arrays)
    if is_tree_leaf(node):
        return arrays.get("", node)
    children = [
        loaded(child, (*path, *key), {_below(prefix, name): arrays[name] for name in arrays if _is_in(prefix, name)})
        for prefix, key, child in _children(node)
    ]
    if _is_sequential(node):
        return _with_attributes(node, {"layers": tuple(children)})
    if renamed := _renamed(node):
        return _with_attributes(node, dict(zip(renamed, children, strict=True)))
    return flatten_one_level_with_path(node)[1].unflatten(children)


def _loaded_shared(node: Shared[Any], path: KeyPath, arrays: Arrays) -> Shared[Any]:
    path = (*path, _PYTREE)
    whole = loaded(node(), path, arrays)

    def replace(old: Any, new: Any) -> Any:
        return new if is_numeric(old) else old  # of nodes that are tied to others, nothing is held here

    copy = _with_attributes(node, {"pytree": jax.tree.map(replace, node.pytree, whole)})
    for found, tied in zip(entries(whole, path), entries(copy(), path), strict=True):
        if not np.array_equal(found.array, tied.array):
            raise ValueError(
                f"{locate('layer', found.path)} is tied to another leaf by `Shared`, but `{found.name}` in "
                f"{locate('state_dict')} has other numbers than what it is tied to."
            )
    return copy


def _children(node: _PyTree) -> list[tuple[str, KeyPath, _PyTree]]:
    """Of each child of a node: how PyTorch calls it, its key path, and the child itself."""
    if _is_sequential(node):
        attribute = jax.tree_util.GetAttrKey("layers")
        names = node.names or map(str, range(len(node)))
        keys = ((attribute, jax.tree_util.SequenceKey(i)) for i in range(len(node)))
        return list(zip(names, keys, node.layers, strict=True))
    if renamed := _renamed(node):
        return [(name, _key_path(attribute), _get(node, attribute)) for attribute, name in renamed.items()]
    return [(keystr(key).strip(".[]'\""), key, child) for key, child in flatten_one_level_with_path(node)[0]]


def _renamed(node: _PyTree) -> dict[str, str] | None:
    """For a class that PyTorch has with other names of attributes: these names, by the attributes here."""
    # With another network in it, PyTorch has no such class.
    is_known = isinstance(node, TransformerLayer) and isinstance(node.feed_forward, FeedForward)
    return next((names for cls, names in _RENAMED.items() if is_known and isinstance(node, cls)), None)


def _key_path(attribute: str) -> KeyPath:
    return tuple(map(jax.tree_util.GetAttrKey, attribute.split(".")))


# Type checkers take what `isinstance` finds to be of unknown layers.
def _is_shared(node: object) -> TypeGuard[Shared[Any]]:
    return isinstance(node, Shared)


def _is_sequential(node: object) -> TypeGuard[Sequential[Any]]:
    return isinstance(node, Sequential)


def _is_in(prefix: str, name: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def _below(prefix: str, name: str) -> str:
    return name[len(prefix) + 1 :]


def _with_attributes(node: _T, attributes: Mapping[str, Any]) -> _T:
    """A copy of a Module with new values of some attributes, or of their attributes and entries, and so on."""
    return tree_at(lambda node: [_get(node, name) for name in attributes], node, list(attributes.values()))


def _get(node: Any, name: str) -> Any:
    for part in name.split("."):
        node = node[int(part)] if part.isdigit() else getattr(node, part)
    return node


def is_numeric(leaf: Any) -> bool:
    """Whether a leaf is an array, or stands for one, of something else than PRNG keys."""
    return is_abstract(leaf) and (jnp.issubdtype(leaf.dtype, np.number) or leaf.dtype == np.bool_)
