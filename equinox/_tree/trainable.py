"""Which parts of a model are trained: filters that select its parameters, or all of them but some.

A filter is a tree of booleans, nothing more. The model stays as it is, without marks on it, and one filter says to all
what is trained: to `partition` and `filter`, as `filter_tree` to `gradf`, and to `Optimizer`. What a filter leaves out
becomes `None`. So gradients, the state of an optimiser, weight decay and updates have nothing there that they could act
on, and the leaf stays the same to the bit.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import jax
import jax.numpy as jnp

from .._errors import describe
from .._jax_tree import tree_flatten
from .._sentinel import sentinel
from .at import tree_at
from .predicates import is_inexact_array, is_none

_T = TypeVar("_T")
_PyTree: TypeAlias = Any


def trainable(
    model: _T, where: Callable[[_T], Any] | type[object] | Sequence[Callable[[_T], Any] | type[object]] | None = None
) -> _T:
    """Make the filter that selects the parameters of a model, or of parts of it; everything else is frozen.

    A parameter is a floating-point or complex JAX array. What is none is never selected: integers, PRNG keys,
    functions, and NumPy arrays, as which a model can hold its constants.

    **Arguments**

    - `model`: any PyTree.
    - `where`: the part to train: a function from the model to one of its nodes or to a tuple or list of nodes, as in
        `tree_at`; or a class, which means every node that is an instance of it; or a tuple or list of such functions
        and classes. By default, the whole model.

    **Returns**

    A tree of the structure of `model`, with `True` at the parameters of that part and `False` at all other leaves.

    **Raises**

    - `ValueError`: there is no instance of a class in the model; or as `tree_at`.
    - `TypeError`: `where` is of another type; or as `tree_at`.

    **Example**

    Train the last layer. The first line is all that has to know about it.
    ```python
    >>> model = eqx.nn.MLP(2, 1, width_size=8, depth=2, key=jax.random.key(0))
    >>> params, static = eqx.partition(model, eqx.trainable(model, where=lambda m: m.layers[-1]))
    >>> def loss(params, x):
    ...     return jnp.sum(eqx.combine(params, static)(x))
    >>> gradient = jax.grad(loss)(params, jnp.ones(2))
    >>> gradient.layers[0].weight is None, gradient.layers[-1].weight.shape
    (True, (1, 8))

    ```

    The same for a loss of the whole model: `gradf(loss, filter_tree=trainable(model, where=...))`.

    Filters can be calculated with: this one selects the weights, but not those of the last layer.
    ```python
    >>> import operator
    >>> weights = eqx.trainable(model, where=lambda m: [layer.weight for layer in m.layers])
    >>> body = eqx.freeze(model, where=lambda m: m.layers[-1])
    >>> weights_of_body = jax.tree.map(operator.and_, weights, body)
    >>> [(layer.weight, layer.bias) for layer in weights_of_body.layers]
    [(True, False), (True, False), (False, False)]

    ```
    """
    parameters = jax.tree.map(_is_parameter, model)
    if where is None:
        return cast(_T, parameters)
    return cast(_T, jax.tree.map(_and, parameters, _marks(model, where)))


def freeze(model: _T, where: Callable[[_T], Any] | type[object] | Sequence[Callable[[_T], Any] | type[object]]) -> _T:
    """Make the filter that selects all parameters of a model except those of some parts, which are frozen.

    **Arguments**

    - `model`, `where`: as in [`trainable`][equinox.trainable], but `where` says what to freeze.

    **Returns**

    A tree of the structure of `model`, with `True` at the parameters outside of those parts and `False` at all other
    leaves. So it is the opposite of `trainable` as far as parameters are concerned; what is none is in neither.

    **Raises**

    - `ValueError`, `TypeError`: as `trainable`.

    **Example**
    ```python
    >>> model = eqx.nn.MLP(2, 1, width_size=8, depth=1, key=jax.random.key(0))
    >>> filter = eqx.freeze(model, where=lambda m: m.layers[0])
    >>> gradient = eqx.gradf(lambda m, x: jnp.sum(m(x)), filter_tree=filter)(model, jnp.ones(2))
    >>> gradient.layers[0].weight is None, gradient.layers[1].weight.shape
    (True, (1, 8))

    ```

    A class freezes whatever is of its kind: `eqx.freeze(model, where=eqx.nn.LSTMCell)`.
    """
    return cast(_T, jax.tree.map(_and_not, jax.tree.map(_is_parameter, model), _marks(model, where)))


def _and(first: bool, second: bool) -> bool:
    return first and second


def _and_not(first: bool, second: bool) -> bool:
    return first and not second


def _is_parameter(leaf: object) -> bool:
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return bool(jnp.issubdtype(leaf.dtype, jnp.inexact))
    return is_inexact_array(leaf)


def _marks(model: _PyTree, where: Any) -> _PyTree:
    """A tree of booleans: whether each leaf is in what `where` selects."""
    marks = jax.tree.map(_false, model)
    for rule in cast(Sequence[Any], where) if isinstance(where, (tuple, list)) else (where,):
        if isinstance(rule, type):
            found = _instances_of(rule, model)
        elif callable(rule):
            # A layer without a bias has `None` there. To select it selects nothing, but is no mistake.
            found = tree_at(rule, model, replace_fn=_marked, is_leaf=is_none)
        else:
            raise TypeError(
                f"argument `where`: found {describe(rule)}; expected a function from the model to some of its nodes, a "
                "class of nodes, or a tuple or list of these."
            )
        marks = jax.tree.map(_or_marked, marks, found)
    return marks


def _false(_: object) -> bool:
    return False


def _or_marked(mark: bool, leaf: object) -> bool:
    return mark or leaf is sentinel


def _marked(node: _PyTree) -> _PyTree:
    """Replace every leaf by a value that is no leaf of a model."""
    leaves, treedef = tree_flatten(node)
    return treedef.unflatten([sentinel] * len(leaves))


def _instances_of(kind: type, model: _PyTree) -> _PyTree:
    def is_instance(node: object) -> bool:
        return isinstance(node, kind)

    nodes, treedef = tree_flatten(model, is_instance)
    if not any(map(is_instance, nodes)):
        raise ValueError(f"argument `where`: there is no `{kind.__qualname__}` in the model.")
    return treedef.unflatten(_marked(node) if is_instance(node) else node for node in nodes)
