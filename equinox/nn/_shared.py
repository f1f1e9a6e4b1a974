"""`Shared`: one parameter, or one layer, at several places of a model."""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeAlias, TypeVar

from .._errors import locate
from .._jax_tree import tree_flatten
from .._module import Module
from .._tree.at import tree_at
from .._tree.predicates import is_array
from .._tree.pretty import tree_pformat

_T = TypeVar("_T")
_PyTree: TypeAlias = Any


class _SharedNode:
    """In place of what is found elsewhere. All are alike, so that models which are made alike compile once."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SharedNode)

    def __hash__(self) -> int:
        return hash(_SharedNode)

    def __repr__(self) -> str:
        return "SharedNode"


class Shared(Module, Generic[_T]):
    """Ties nodes of a PyTree to other ones, so that they remain equal while the PyTree is trained.

    The tied nodes are held, differentiated, updated and saved once only. Calling the `Shared` without arguments gives
    the PyTree with all nodes in place.

    **Arguments**

    - `pytree`: any PyTree, such as a model or a tuple of layers.
    - `where`: a function from `pytree` to the node that is to be tied to another one, or to a sequence of nodes. They
        are taken out.
    - `get`: a function from `pytree` to what takes their place: the other node (or a sequence), or something computed
        from it, with the same structure, shapes and dtypes.

    `where` and `get` are part of what functions are compiled for. Define them once, rather than each time that a model
    is made, to compile once.

    **Raises**

    - `ValueError`: what `get` returns is not like what `where` returns, or is itself one of the nodes taken out.
    - Whatever [`tree_at`][equinox.tree_at] raises for `where`.

    **Example**

    A language model whose last layer is its embedding, transposed: both have a weight of shape `(words, size)`.

    ```python
    >>> class LanguageModel(eqx.Module):
    ...     shared: eqx.nn.Shared
    ...     def __init__(self, words, size, *, key):
    ...         embedding = jax.random.normal(key, (words, size))
    ...         head = eqx.nn.Linear(size, words, use_bias=False, key=key)
    ...         self.shared = eqx.nn.Shared((embedding, head), lambda pair: pair[1].weight, lambda pair: pair[0])
    ...     def __call__(self, token):
    ...         embedding, head = self.shared()
    ...         return head(embedding[token])
    >>> model = LanguageModel(10, 3, key=jax.random.key(0))
    >>> model(2).shape
    (10,)
    >>> [leaf.shape for leaf in jax.tree.leaves(eqx.filter(model, eqx.is_array))]
    [(10, 3)]

    ```
    """

    pytree: Final[_T]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them
    where: Final[Callable[[_T], _PyTree]]  # type: ignore[misc] # as above
    get: Final[Callable[[_T], _PyTree]]  # type: ignore[misc] # as above

    def __init__(self, pytree: _T, where: Callable[[_T], Any], get: Callable[[_T], Any]) -> None:
        self.pytree = tree_at(where, pytree, replace_fn=lambda _: _SharedNode())
        self.where = where
        self.get = get
        tied, source = where(pytree), get(pytree)
        if not _alike(tied, source):
            raise ValueError(
                f"{locate('get')}: tied nodes must have the same structure, shapes, dtypes and other leaves. `where` "
                f"selects `{tree_pformat(tied)}`, but `get` returns `{tree_pformat(source)}`."
            )
        if not _alike(tied, get(self.pytree)):
            raise ValueError(
                f"{locate('get')} must not return nodes that `where` selects: they are taken out, so that nothing is "
                "left that they could be tied to. Let it return another node."
            )

    def __call__(self) -> _T:
        """Put all nodes in place.

        **Returns**

        A PyTree like the one that was passed for `pytree`.
        """
        return tree_at(self.where, self.pytree, self.get(self.pytree))


def _alike(tied: _PyTree, source: _PyTree) -> bool:
    """Whether two PyTrees differ in nothing but the values of their arrays."""
    leaves, structure = tree_flatten(tied)
    others, other_structure = tree_flatten(source)
    return structure == other_structure and all(map(_leaves_alike, leaves, others))


def _leaves_alike(a: Any, b: Any) -> bool:
    if is_array(a) and is_array(b):
        return a.shape == b.shape and a.dtype == b.dtype
    return not is_array(a) and not is_array(b) and bool(a == b)
