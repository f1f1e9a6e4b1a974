"""`Optimizer`: an Optax transformation together with its state, as one PyTree that holds arrays only.

Optax is shown the parameters alone: the model, with `None` for whatever is not trained. Its state keeps the structure
and the types that it has at first. Optax is not imported: whatever has its two functions `init` and `update` will do.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self, TypeAlias, TypeVar, cast

import jax
import jax.numpy as jnp

from ._errors import describe, locate
from ._jax_tree import PyTreeDef, tree_flatten, tree_leaves_with_path, tree_structure
from ._module import Module, field
from ._optimizer_state import first_state, next_state
from ._sentinel import sentinel
from ._transforms.conceal import reveal
from ._transforms.split import Places
from ._tree.describe import describe_node
from ._tree.one_level import is_tree_leaf, tree_flatten_one_level
from ._tree.partition import filter as filter_tree
from ._tree.predicates import is_differentiable_array, is_inexact_array, is_none
from ._tree.prefix import first_difference, flatten_up_to
from ._tree.updates import apply_updates

_T = TypeVar("_T")

_PyTree: TypeAlias = Any


class GradientTransformation(Protocol):
    """What an [`Optimizer`][equinox.Optimizer] needs to know about Optax."""

    @property
    def init(self) -> Callable[..., Any]:
        """From the parameters to the first state."""
        ...

    @property
    def update(self) -> Callable[..., Any]:
        """From gradient, state and parameters to the updates and the next state."""
        ...


class Optimizer(Module):
    """An Optax transformation and its state, for the parameters of one model.

    It is a PyTree whose leaves are the arrays of the state. So it can be an argument and a result of compiled
    functions, be carried through loops, saved and loaded, next to the model.

    Only what is trained takes part: to Optax, everything else is `None`. So no momentum is kept for a frozen leaf, no
    weight decay reaches it, it does not count in a global norm, and it stays the same to the bit. The state keeps its
    structure and its dtypes, and holds no weakly typed arrays, so that a training step is compiled once.

    **Arguments**

    - `transformation`: any of Optax's, such as `optax.adam(1e-3)`, or another object with the functions `init` and
        `update`.
    - `model`: the PyTree to train.
    - `filter`: which of its leaves to train, as in [`partition`][equinox.partition]: a function of a leaf, or a tree of
        booleans as from [`trainable`][equinox.trainable] and [`freeze`][equinox.freeze]. Leaves that are no
        floating-point or complex arrays are not trained, whatever it says.

    **Raises**

    - `TypeError`: `transformation` lacks one of its functions.
    - `ValueError`: `filter` does not fit the model.

    **Example**
    ```python
    >>> import optax
    >>> model = eqx.nn.MLP(2, 1, width_size=8, depth=1, key=jax.random.key(0))
    >>> head = eqx.trainable(model, where=lambda m: m.layers[-1])
    >>> optimizer = eqx.Optimizer(optax.adamw(1e-2), model, filter=head)

    >>> @eqx.filter_jit
    ... def step(model, optimizer, x, y):
    ...     gradient = eqx.filter_grad(lambda model: jnp.mean((jax.vmap(model)(x) - y) ** 2))(model)
    ...     return optimizer.update(gradient, model)
    >>> trained, optimizer = step(model, optimizer, jnp.ones((3, 2)), jnp.zeros((3, 1)))
    >>> [bool(eqx.tree_equal(old, new)) for old, new in zip(model.layers, trained.layers)]
    [True, False]

    ```

    Masks and labels for transformations such as `optax.masked` have the structure of the model. Where Optax accepts
    functions too, give it one, `lambda _: mask`: a model that can be called may be taken for a function.
    """

    transformation: GradientTransformation = field(static=True, repr=False)
    _state: _PyTree
    #: Of each leaf of the model, whether it is trained.
    _mask: tuple[bool, ...] = field(static=True, repr=False)
    #: That of the tree of parameters, with `None` for all else.
    _structure: PyTreeDef = field(static=True, repr=False)

    def __init__(
        self, transformation: GradientTransformation, model: _PyTree, filter: _PyTree = is_inexact_array
    ) -> None:
        _check_transformation(transformation)
        flatten_up_to(filter, model, argument="filter", tree_argument="model")  # for an error in the caller's terms
        chosen = tree_flatten(filter_tree(model, filter, replace=sentinel))[0]
        leaves, treedef = tree_flatten(model)
        self.transformation = transformation
        self._mask = tuple(leaf is not sentinel and is_differentiable_array(leaf) for leaf in chosen)
        params = treedef.unflatten(leaf if mask else None for leaf, mask in zip(leaves, self._mask, strict=True))
        self._structure = tree_structure(params)
        try:
            state = transformation.init(params)
        except Exception as error:
            if callable(model):
                error.add_note(
                    f"Optax may have taken a mask or labels of type `{type(model).__qualname__}` for a function, as "
                    "they can be called. If the transformation was made with any, write `lambda _: mask` instead."
                )
            raise
        self._state = first_state(state, leaves)

    @property
    def state(self) -> Any:
        """The state, as Optax has made it.

        To change a hyperparameter in it, `tree_at(lambda o: o.state.hyperparams["learning_rate"], optimizer, rate)`.
        """
        return reveal(self._state)

    def update(self, grads: _PyTree, model: _T, /, **extra_args: Any) -> tuple[_T, Self]:
        """Make a step: update the parameters and the state.

        **Arguments**

        - `grads`: the gradient, of the structure of the model. `None` stands for leaves that are not trained; what else
            it holds for these is ignored.
        - `model`: the model.
        - `extra_args`: what the transformation wants besides, such as `value`, the loss, for `optax.polyak_sgd`; those
            that it does not know are ignored. Those whose names end in `_fn`, such as `value_fn` for `optax.lbfgs`, are
            functions of a model. Where there is a `value_fn`, Optax gets the gradient as `grad` too.

        **Returns**

        The new model, and the optimizer with the new state.

        **Raises**

        - `ValueError`: `grads` does not have the structure of `model`, or lacks the gradient of a leaf that is trained,
            or has one of another shape; `model` has other leaves than the one that the optimizer was made for. The
            message names the leaf.

        **Example**
        ```python
        >>> import optax
        >>> def loss(params):
        ...     return (params["x"] - 3) ** 2
        >>> params = {"x": jnp.zeros(())}
        >>> optimizer = eqx.Optimizer(optax.lbfgs(), params)
        >>> for _ in range(3):
        ...     value, gradient = jax.value_and_grad(loss)(params)
        ...     params, optimizer = optimizer.update(gradient, params, value=value, value_fn=loss)
        >>> params
        {'x': Array(3., dtype=float32)}

        ```
        """
        leaves, treedef = tree_flatten(model)
        self._check_model(model, len(leaves))
        places = Places(treedef, self._mask)
        selected, rest = places.separate(leaves)

        def join(params: _PyTree) -> _T:
            return cast(_T, places.join(self._structure.flatten_up_to(params), rest))

        params = self._structure.unflatten(selected)
        gradient = self._gradient(grads, model)
        if "grad" in extra_args:
            extra_args["grad"] = self._gradient(extra_args["grad"], model)
        elif "value_fn" in extra_args:
            extra_args["grad"] = gradient
        extra_args = {
            name: _of_params(value, join) if name.endswith("_fn") else value
            for name, value in _accepted(self.transformation.update, extra_args).items()
        }
        updates, state = self.transformation.update(gradient, self.state, params, **extra_args)
        return join(apply_updates(params, updates)), self._with_state(state)

    def _select(self, leaves: Sequence[Any]) -> _PyTree:
        return self._structure.unflatten(leaf for leaf, mask in zip(leaves, self._mask, strict=True) if mask)

    def _check_model(self, model: _PyTree, count: int) -> None:
        if count == len(self._mask):
            return
        outline = self._structure.unflatten([True] * sum(self._mask))
        path, expected, found = first_difference(outline, model, is_none) or ((), None, model)
        had = "" if expected is None else f", where there was {describe_node(expected)} when the optimizer was made"
        raise ValueError(
            f"{locate('model', path)}: found {describe_node(found)}{had}. The model has {count} leaves now and had "
            f"{len(self._mask)} then. Make another `Optimizer` for a model of another structure."
        )

    def _gradient(self, grads: _PyTree, model: _PyTree) -> _PyTree:
        """Take from a gradient what belongs to the parameters."""
        given, subtrees, _ = flatten_up_to(grads, model, argument="grads", tree_argument="model", is_leaf=is_none)
        spread: list[Any] = []
        for index, (gradient, subtree) in enumerate(zip(given, subtrees, strict=True)):
            if gradient is not None and not is_tree_leaf(subtree):
                path, _ = tree_leaves_with_path(grads, is_none)[index]
                raise ValueError(
                    f"{locate('grads', path)}: found {describe(gradient)}, where `model` has {describe_node(subtree)}. "
                    "The gradient must have the structure of the model."
                )
            spread += [gradient] * tree_structure(subtree).num_leaves
        leaves = jax.tree.leaves(model)
        for index, (gradient, leaf, is_trained) in enumerate(zip(spread, leaves, self._mask, strict=True)):
            if is_trained and (gradient is None or jnp.shape(gradient) != jnp.shape(leaf)):
                path, _ = tree_leaves_with_path(model)[index]
                raise ValueError(
                    f"{locate('grads', path)}: found {describe_node(gradient)}; expected the gradient of "
                    f"{describe(leaf)}, which is trained. Differentiate with respect to all that the `filter` of the "
                    "optimizer selects."
                )
        return self._select(spread)

    def _with_state(self, state: _PyTree) -> Self:
        _, treedef = tree_flatten_one_level(self)
        return cast(Self, treedef.unflatten([next_state(self._state, state)]))


def _check_transformation(transformation: object) -> None:
    for name in ("init", "update"):
        if not callable(getattr(transformation, name, None)):
            raise TypeError(
                f"argument `transformation`: found {describe(transformation)}, which has no function `{name}`; "
                "expected a transformation of Optax, such as `optax.adam(1e-3)`."
            )


def _accepted(update: Callable[..., Any], extra_args: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the arguments that a function takes."""
    parameters = inspect.signature(update).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return dict(extra_args)
    return {name: value for name, value in extra_args.items() if name in parameters}


def _of_params(function: Callable[..., Any], join: Callable[[_PyTree], Any]) -> Callable[..., Any]:
    """Make a function of the parameters from a function of the model."""

    # Optax finds out from the signature which further arguments it takes.
    @functools.wraps(function)
    def of_params(params: _PyTree, /, *args: Any, **kwargs: Any) -> Any:
        return function(join(params), *args, **kwargs)

    return of_params
