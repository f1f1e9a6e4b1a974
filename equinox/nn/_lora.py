"""`LoRA`: fine-tunes a weight by adding a product of two small matrices to it, and leaves the weight itself alone."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar, cast, overload

import jax
import jax.numpy as jnp
from jax import Array

from .._errors import locate
from .._module import Module, field
from .._tree.at import tree_at
from .._tree.trainable import trainable
from ._initialise import uniform
from ._linear import Linear
from ._normalise import constant
from ._reparameterise import call_with_weight, weight_of, with_weight
from ._shapes import as_size

_Layer = TypeVar("_Layer", bound=Callable[..., Any])
_T = TypeVar("_T")
_PyTree: TypeAlias = Any


class LoRA(Module, Generic[_Layer]):
    r"""Calls a layer with something of low rank added to one of its weights.

    $$W + \frac{\alpha}{r} B A$$

    where $W$ is what the layer itself holds, as a matrix with one row for each index of the first axis, and $A$ and $B$
    have $r$ rows and columns. $B$ starts as zeros, so that the layer is at first what it was before, and $A$ uniform as
    the weight of a [`Linear`][equinox.nn.Linear]. No gradient flows to $W$. Of the other parameters of the layer, such
    as a bias, [`lora_filter`][equinox.nn.lora_filter] says that they are not trained either.

    Hu et al., *LoRA: Low-Rank Adaptation of Large Language Models*, ICLR 2022.

    **Arguments**

    - `layer`: any callable PyTree, such as a [`Linear`][equinox.nn.Linear] or a [`Conv`][equinox.nn.Conv].
    - `rank`: the rank $r$.
    - `alpha`: $\alpha$, by default $r$, so that the factor is 1.
    - `key`: a PRNG key, for $A$.
    - `weight_name`: the name of the attribute of `layer` that is the weight.

    The attribute `a` is $A$, of shape `(rank, *weight.shape[1:])`, and `b` is $B$, of shape `(weight.shape[0], rank)`.
    Both have the dtype of the weight.

    **Raises**

    - `AttributeError`: `layer` has no attribute of this name.
    - `ValueError`: it is not an array, or one with fewer than two axes; `rank` is not a positive integer.

    **Example**
    ```python
    >>> linear = eqx.nn.Linear(64, 32, key=jax.random.key(0))
    >>> lora = eqx.nn.LoRA(linear, rank=2, key=jax.random.key(1))
    >>> lora.a.shape, lora.b.shape
    ((2, 64), (32, 2))
    >>> bool(jnp.array_equal(lora(jnp.ones(64)), linear(jnp.ones(64))))
    True

    ```

    For layers whose arrays are stacked along an additional first axis, make it under `eqx.filter_vmap`.
    """

    layer: Final[_Layer]  # type: ignore[misc] # mypy wants no type variables in `Final`, but handles them
    a: Final[Array]
    b: Final[Array]
    rank: Final[int]
    alpha: Final[float]
    weight_name: Final[str]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        rank = field(static=True)
        alpha = field(static=True)
        weight_name = field(static=True)

    def __init__(
        self, layer: _Layer, rank: int, alpha: float | None = None, *, key: Array, weight_name: str = "weight"
    ) -> None:
        weight = weight_of(layer, weight_name)
        if weight.ndim < 2:
            raise ValueError(
                f"{locate('weight_name')}: the attribute `{weight_name}` of `{type(layer).__name__}` must have at "
                f"least two axes to be seen as a matrix, found shape {weight.shape}."
            )
        self.layer = layer
        self.weight_name = weight_name
        self.rank = as_size("rank", rank)
        if self.rank == 0:
            raise ValueError(f"{locate('rank')} must be a positive integer, found 0.")
        self.alpha = float(self.rank if alpha is None else alpha)
        rows, *row_shape = weight.shape
        self.a = uniform(key, (self.rank, *row_shape), math.prod(row_shape), weight.dtype)
        self.b = jnp.zeros((rows, self.rank), weight.dtype)

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Call the layer with its changed weight.

        **Arguments**

        - `x`: the input of the layer.
        - `key`: ignored.

        **Returns**

        The output of the layer.
        """
        with jax.named_scope("eqx.nn.LoRA"):
            weight = constant(weight_of(self.layer, self.weight_name))
            return call_with_weight(self.layer, self.weight_name, self._changed(weight), x)

    def _changed(self, weight: Array) -> Array:
        difference = jnp.tensordot(self.b, self.a, axes=1)
        return weight + difference * (self.alpha / self.rank)

    def _merged(self) -> Any:
        """The layer alone, with the changed weight as its own."""
        weight = self._changed(weight_of(self.layer, self.weight_name))
        return merge_lora(with_weight(self.layer, self.weight_name, weight))


def add_lora(
    model: _T,
    rank: int,
    alpha: float | None = None,
    *,
    key: Array,
    where: Callable[[_T], Any] | type[object] = Linear,
    weight_name: str = "weight",
) -> _T:
    """Wrap some layers of a model, each in a [`LoRA`][equinox.nn.LoRA] of its own.

    **Arguments**

    - `model`: any PyTree.
    - `rank`, `alpha`, `weight_name`: as in `LoRA`.
    - `key`: a PRNG key, which is split for the layers.
    - `where`: which layers. A class, by default [`Linear`][equinox.nn.Linear], means every node that is an instance of
        it, except for layers that a `LoRA` holds already. Or a function from the model to one layer or to a tuple or
        list of layers, as in [`tree_at`][equinox.tree_at].

    **Returns**

    The model, with these layers replaced. Static types still show those that were there before.

    **Raises**

    - `ValueError`: there is no instance of the class in the model; or as `LoRA` and `tree_at`.
    - `AttributeError`: as `LoRA`.

    **Example**

    Train the low-rank part alone.
    ```python
    >>> import optax
    >>> model = eqx.nn.MLP(2, 1, width_size=8, depth=1, key=jax.random.key(0))
    >>> tuned = eqx.nn.add_lora(model, rank=1, key=jax.random.key(1))
    >>> optimizer = eqx.Optimizer(optax.adam(1e-2), tuned, filter=eqx.nn.lora_filter(tuned))
    >>> gradient = eqx.filter_grad(lambda model: jnp.sum(model(jnp.ones(2)) ** 2))(tuned)
    >>> tuned, optimizer = optimizer.update(gradient, tuned)
    >>> bool(eqx.tree_equal(tuned.layers[0].layer, model.layers[0]))
    True
    >>> merged = eqx.nn.merge_lora(tuned)
    >>> bool(jnp.array_equal(merged(jnp.ones(2)), tuned(jnp.ones(2))))
    True

    ```
    """
    select = _instances_outside_of_lora(where) if isinstance(where, type) else where
    selected = select(model)
    layers = cast(Sequence[Any], selected) if isinstance(selected, (tuple, list)) else [selected]
    if not layers:
        name = where.__qualname__ if isinstance(where, type) else "layer"
        raise ValueError(f"{locate('where')}: there is no `{name}` in the model to be wrapped.")
    keys = jax.random.split(key, len(layers))
    wrapped = [LoRA(layer, rank, alpha, key=k, weight_name=weight_name) for layer, k in zip(layers, keys, strict=True)]
    return tree_at(select, model, wrapped if isinstance(selected, (tuple, list)) else wrapped[0])


def lora_filter(model: _T) -> _T:
    """Make the filter that selects the arrays `a` and `b` of every [`LoRA`][equinox.nn.LoRA] in a model.

    It is a filter such as [`trainable`][equinox.trainable] makes, which [`Optimizer`][equinox.Optimizer],
    [`partition`][equinox.partition] and others understand.

    **Arguments**

    - `model`: any PyTree.

    **Returns**

    A tree of the structure of `model`, with `True` at these arrays and `False` at all other leaves.

    **Raises**

    - `ValueError`: there is no `LoRA` in the model.

    **Example**
    ```python
    >>> model = eqx.nn.MLP(64, 10, width_size=64, depth=1, key=jax.random.key(0))
    >>> model = eqx.nn.add_lora(model, rank=4, key=jax.random.key(1))
    >>> trained, frozen = eqx.partition(eqx.filter(model, eqx.is_array), eqx.nn.lora_filter(model))
    >>> [sum(x.size for x in jax.tree.leaves(part)) for part in (trained, frozen)]
    [808, 4810]

    ```
    """
    if not any(True for _ in _loras(model)):
        raise ValueError(f"{locate('model')}: there is no `LoRA` in the model.")
    return trainable(model, where=lambda node: [array for lora in _loras(node) for array in (lora.a, lora.b)])


@overload
def merge_lora(model: LoRA[_Layer]) -> _Layer: ...
@overload
def merge_lora(model: _T) -> _T: ...
def merge_lora(model: _PyTree) -> _PyTree:
    """Replace every [`LoRA`][equinox.nn.LoRA] in a model by its layer, with the changed weight as its own.

    Outputs stay the same: a `LoRA` computes precisely this weight whenever it is called.

    **Arguments**

    - `model`: any PyTree.

    **Returns**

    The model without `LoRA`s.

    **Example**
    ```python
    >>> linear = eqx.nn.Linear(3, 2, key=jax.random.key(0))
    >>> lora = eqx.nn.LoRA(linear, rank=1, key=jax.random.key(1))
    >>> lora = eqx.tree_at(lambda lora: lora.b, lora, jnp.ones((2, 1)))
    >>> merged = eqx.nn.merge_lora(lora)
    >>> type(merged).__name__, bool(jnp.array_equal(merged(jnp.ones(3)), lora(jnp.ones(3))))
    ('Linear', True)

    ```
    """

    def merged(node: _PyTree) -> _PyTree:
        return node._merged() if _is_lora(node) else node

    return jax.tree.map(merged, model, is_leaf=_is_lora)


def _is_lora(node: object) -> bool:
    return isinstance(node, LoRA)


def _loras(model: _PyTree) -> Iterator[LoRA[Any]]:
    """Every `LoRA` in a model, also inside of the layers of others."""
    for node in jax.tree.leaves(model, is_leaf=_is_lora):
        if isinstance(node, LoRA):
            yield node
            yield from _loras(node.layer)


def _instances_outside_of_lora(kind: type) -> Callable[[_PyTree], list[Any]]:
    def is_candidate(node: object) -> bool:
        return isinstance(node, (kind, LoRA))

    def select(model: _PyTree) -> list[Any]:
        return [node for node in jax.tree.leaves(model, is_leaf=is_candidate) if isinstance(node, kind)]

    return select
