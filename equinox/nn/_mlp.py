"""`MLP`: a multilayer perceptron."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from .._module import Module, field
from .._tree.partition import combine, partition
from ._activation import activate, copy_at, is_copied, with_copies
from ._initialise import Initialiser
from ._linear import Linear
from ._shapes import as_size, as_size_or_scalar, checked, shape_of
from ._spelling import spelled


def _identity(x: Array) -> Array:
    return x


class MLP(Module):
    """A multilayer perceptron, also known as a feed-forward network: linear layers with an activation after each.

    **Arguments**

    - `in_size`: the number of inputs, or `"scalar"` if the input has shape `()`.
    - `out_size`: the number of outputs, or `"scalar"` if the output is to have shape `()`.
    - `width_size`: the number of neurons in each hidden layer.
    - `depth`: the number of hidden layers. With 0 there is one linear layer, from the inputs to the outputs.
    - `activation`: the function after each hidden layer. It is called with the vector of all neurons if it accepts one
        and returns one of the same shape, otherwise for each neuron by itself. If it is a Module with arrays, such as
        [`PReLU`][equinox.nn.PReLU], then each neuron gets its own copy of them, and is called by itself.
    - `final_activation`: the function after the last layer, likewise; by default there is none.
    - `use_bias`, or `bias`: whether the hidden layers have a bias.
    - `use_final_bias`: whether the last layer has a bias.
    - `dtype`: of the parameters, as in [`Linear`][equinox.nn.Linear].
    - `scan`: whether the hidden layers after the first one are stored as one layer whose arrays have an additional
        leading axis, and run by one `jax.lax.scan`. The numbers are the same, and the time to compile is independent of
        the depth.
    - `key`: a PRNG key, for the initial parameters.
    - `weight_init`, `bias_init`: what makes the initial weights and biases of all layers instead, as in
        [`Linear`][equinox.nn.Linear].

    **Raises**

    - `ValueError`: a size or `depth` is not a non-negative integer (nor `"scalar"`); `dtype` is an integer one;
        what `weight_init` or `bias_init` returns has another shape or dtype.

    **Example**
    ```python
    >>> mlp = eqx.nn.MLP(2, 3, width_size=8, depth=2, final_activation=jax.nn.softmax, key=jax.random.key(0))
    >>> [layer.weight.shape for layer in mlp.layers]
    [(8, 2), (8, 8), (3, 8)]
    >>> mlp(jnp.ones(2)).sum().round(3)
    Array(1., dtype=float32)

    ```
    """

    layers: Final[tuple[Linear, ...]]
    activation: Final[Callable[[Array], Array]]
    final_activation: Final[Callable[[Array], Array]]
    use_bias: Final[bool]
    use_final_bias: Final[bool]
    in_size: Final[int | Literal["scalar"]]
    out_size: Final[int | Literal["scalar"]]
    width_size: Final[int]
    depth: Final[int]
    scan: Final[bool]

    if not TYPE_CHECKING:  # for type checkers, a `Final` attribute that has a value here would have it for good
        use_bias = field(static=True)
        use_final_bias = field(static=True)
        in_size = field(static=True)
        out_size = field(static=True)
        width_size = field(static=True)
        depth = field(static=True)
        scan = field(static=True, default=False)

    def __init__(
        self,
        in_size: int | Literal["scalar"],
        out_size: int | Literal["scalar"],
        width_size: int,
        depth: int,
        activation: Callable[[Array], Array] = jax.nn.relu,
        final_activation: Callable[[Array], Array] = _identity,
        use_bias: bool = True,
        use_final_bias: bool = True,
        dtype: DTypeLike | None = None,
        *,
        scan: bool = False,
        key: Array,
        bias: bool | None = None,
        weight_init: Initialiser | None = None,
        bias_init: Initialiser | None = None,
    ) -> None:
        self.in_size = as_size_or_scalar("in_size", in_size)
        self.out_size = as_size_or_scalar("out_size", out_size)
        self.width_size = as_size("width_size", width_size)
        self.depth = as_size("depth", depth)
        self.use_bias = bool(spelled(use_bias, bias=bias))
        self.use_final_bias = bool(use_final_bias)
        self.scan = bool(scan)
        self.activation = with_copies(activation, (self.depth, self.width_size))
        self.final_activation = with_copies(final_activation, shape_of(self.out_size))

        keys = jax.random.split(key, self.depth + 1)
        sizes = (self.in_size, *[self.width_size] * self.depth, self.out_size)
        biases = (*[self.use_bias] * self.depth, self.use_final_bias)
        layers = tuple(
            Linear(
                sizes[i],
                sizes[i + 1],
                biases[i],
                dtype,
                key=keys[i],
                weight_init=weight_init,
                bias_init=bias_init,
            )
            for i in range(self.depth + 1)
        )
        if self.scan and self.depth > 0:
            first, *hidden, last = layers
            # The example is there because there may be no layers to stack. (For `vmap` over the keys that would be no
            # problem, but not every PRNG draws the same numbers under `vmap`.)
            example = Linear(self.width_size, self.width_size, self.use_bias, dtype, key=key)
            layers = (first, _stack(example, *hidden), last)
        self.layers = layers

    def __call__(self, x: Array, *, key: Array | None = None) -> Array:
        """Apply the network to one vector.

        **Arguments**

        - `x`: shape `(in_size,)`, or `()` for `"scalar"`.
        - `key`: ignored.

        **Returns**

        An array of shape `(out_size,)`, or `()` for `"scalar"`.

        **Raises**

        - `ValueError`: `x` has another shape. For a batch of vectors, use `jax.vmap`.
        """
        x = checked(self, "x", x, shape_of(self.in_size))
        with jax.named_scope("eqx.nn.MLP"):
            if self.scan and self.depth > 0:
                first, hidden, last = self.layers
                x = activate(copy_at(self.activation, 0), first(x))
                x = _scan(hidden, copy_at(self.activation, slice(1, None)), x)
            else:
                *layers, last = self.layers
                for i, layer in enumerate(layers):
                    x = activate(copy_at(self.activation, i), layer(x))
            return activate(self.final_activation, last(x))


def _stack(example: Linear, *layers: Linear) -> Linear:
    """Stack the arrays of the layers, but not those of the example, along a new first axis."""

    def stack(*arrays: Array) -> Array:
        return jnp.stack(arrays)[1:]

    return cast(Linear, jax.tree.map(stack, example, *layers))


def _scan(layers: Linear, activations: Callable[[Array], Array], x: Array) -> Array:
    """Apply layers whose arrays, like those of their activations, are stacked along the first axis."""
    stacked, shared = partition((layers, activations), is_copied)

    def step(x: Array, slices: Any) -> tuple[Array, None]:
        layer, activation = combine(slices, shared)
        return activate(activation, layer(x)), None

    x, _ = jax.lax.scan(step, x, stacked)
    return x
