"""`State`: the values that a model changes while it is called, handed from call to call."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeAlias, TypeVar, cast

import jax
import jax.numpy as jnp
from jax import Array
from wadler_lindig import (
    AbstractDoc,
    TextDoc,
    bracketed,
    comma,
    pdoc,  # pyright: ignore[reportUnknownVariableType] # its `**kwargs` are not annotated
)

from .._errors import describe, locate
from .._jax_tree import KeyPath, keystr, tree_flatten, tree_leaves_with_path
from .._tree.predicates import is_array_like
from .._tree.pretty import tree_pformat
from ._state_index import StateIndex, delete_init_state, has_init, is_index, renamed

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Value = TypeVar("_Value")
_PyTree: TypeAlias = Any


@jax.tree_util.register_pytree_with_keys_class
class State:
    """The values that a model changes while it is called, such as the running statistics of a batch normalisation.

    A stateful layer takes a state and returns a new one: `x, state = layer(x, state)`. Each value belongs to a
    [`StateIndex`][equinox.nn.StateIndex] in the model. Usually [`make_with_state`][equinox.nn.make_with_state] makes
    the model and the state together.

    A state can be used until it has been replaced: `set` and `update` make the old one unusable, so that a program
    which goes on with it by mistake fails. A state that is passed through a JAX transformation is copied, and the
    caller's own one stays as it is.

    **Arguments**

    - `model`: a PyTree whose `StateIndex`es still hold their initial values, which become the first values.

    **Raises**

    - `ValueError`: the initial values have been deleted.
    - `TypeError`: an initial value has leaves that are neither arrays nor numbers.

    **Example**
    ```python
    >>> index = eqx.nn.StateIndex(jnp.zeros(2))
    >>> old_state = eqx.nn.State(index)
    >>> state = old_state.set(index, jnp.ones(2))
    >>> state.get(index)
    Array([1., 1.], dtype=float32)
    >>> old_state
    State(<old>)

    ```
    """

    __slots__ = ("_values",)

    def __init__(self, model: _PyTree) -> None:
        # By marker. `None` once another state has taken the place of this one.
        self._values: Mapping[object, _PyTree] | None = {
            index.marker: _initial_value(path, index) for path, index in _indices(model)
        }

    def get(self, index: StateIndex[_Value]) -> _Value:
        """Look a value up.

        **Arguments**

        - `index`: a `StateIndex` of the model.

        **Returns**

        Its current value.

        **Raises**

        - `ValueError`: `index` is not a `StateIndex`; the state is an old one.
        - `KeyError`: the state has no such value, because it belongs to another model.
        """
        values = self._current()
        value: _Value = values[_marker(index, values)]
        return value

    def set(self, index: StateIndex[_Value], value: _Value) -> "State":
        """Replace a value.

        **Arguments**

        - `index`: a `StateIndex` of the model.
        - `value`: its new value, with the structure, shapes and dtypes of the present one.

        **Returns**

        The new state. This one cannot be used any more.

        **Raises**

        - `ValueError`: `index` is not a `StateIndex`; `value` has another structure, shape or dtype; the state is an
            old one.
        - `KeyError`: the state has no such value, because it belongs to another model.
        """
        values = self._current()
        marker = _marker(index, values)
        return self._replaced({marker: _like("value", values[marker], value)})

    def substate(self, tree: _PyTree) -> "State":
        """Select the values of a part of the model, for instance to vmap over that part.

        **Arguments**

        - `tree`: a part of the model: any PyTree.

        **Returns**

        A state of the values that belong to the `StateIndex`es in `tree`. This one can still be used.

        **Raises**

        - `ValueError`: the state is an old one.
        - `KeyError`: a value is missing.
        """
        values = self._current()
        return self._of({marker: values[marker] for _, index in _indices(tree) for marker in [_marker(index, values)]})

    def update(self, sub: "State") -> "State":
        """Replace several values, usually those that were selected by `substate`.

        **Arguments**

        - `sub`: a state all of whose values this one has too.

        **Returns**

        The new state. This one cannot be used any more, but `sub` can.

        **Raises**

        - `ValueError`: `sub` is not a state, or has values that this one has not, or values of another structure, shape
            or dtype; one of the two states is an old one.
        """
        values = self._current()
        if not isinstance(cast(object, sub), State):
            raise ValueError(f"{locate('sub')} must be a `State`, found {describe(sub)}.")
        new = sub._current("sub")
        unknown = [marker for marker in new if marker not in values]
        if unknown:
            raise ValueError(
                f"{locate('sub')} must hold no other values than the state that it updates; only `sub` has "
                f"{_listed(unknown)}. Make it with `state.substate(part_of_the_model)`."
            )
        return self._replaced({m: _like("sub", values[m], value, (_key(m),)) for m, value in new.items()})

    def tree_flatten(self) -> tuple[tuple[_PyTree, ...], tuple[object, ...]]:
        """For JAX: the values are the children, and the markers are static."""
        values = self._current()
        return tuple(values.values()), tuple(values)

    def tree_flatten_with_keys(self) -> tuple[tuple[tuple[Any, _PyTree], ...], tuple[object, ...]]:
        """For JAX: as `tree_flatten`, and in key paths a value goes by its marker."""
        children, markers = self.tree_flatten()
        return tuple((_key(marker), child) for marker, child in zip(markers, children, strict=True)), markers

    @classmethod
    def tree_unflatten(cls, markers: tuple[object, ...], children: Iterable[_PyTree]) -> "State":
        """For JAX: the reverse of `tree_flatten`."""
        return cls._of(dict(zip(markers, children, strict=True)))

    def __repr__(self) -> str:
        return tree_pformat(self)

    def __pdoc__(self, **kwargs: Any) -> AbstractDoc:
        """What `tree_pformat` calls to print a state."""
        if self._values is None:
            return TextDoc("State(<old>)")
        items = [TextDoc(f"{marker}=") + pdoc(value, **kwargs) for marker, value in self._values.items()]
        return bracketed(TextDoc("State("), items, comma, TextDoc(")"), kwargs.get("indent", 2))

    def _current(self, argument: str = "state") -> Mapping[object, _PyTree]:
        """The values, if they are still the current ones."""
        if self._values is None:
            raise ValueError(
                f"{locate(argument)} is an old state: `set` or `update` was called on it, and returned the one to be "
                "used from then on. Probably a layer was called with a state that another layer had been called with "
                "already. Pass the new one on, as in `x, state = layer(x, state)`. If you need both, make a copy "
                "before: `leaves, treedef = jax.tree.flatten(state); copy = jax.tree.unflatten(treedef, leaves)`."
            )
        return self._values

    def _replaced(self, new: Mapping[object, _PyTree]) -> "State":
        """A state with some new values, in place of this one."""
        values = {**self._current(), **new}
        self._values = None
        return self._of(values)

    @staticmethod
    def _of(values: Mapping[object, _PyTree]) -> "State":
        state = object.__new__(State)
        state._values = values
        return state


def make_with_state(make_model: Callable[_P, _T]) -> Callable[_P, tuple[_T, State]]:
    """Turn a class, or a function that makes a model, into a function that makes a model and its first state.

    Every [`StateIndex`][equinox.nn.StateIndex] is named after its place in the model, so that models which are made in
    the same way have the same PyTree structure, and one's state can be used with another. The initial values are in
    the state alone, and no longer in the model.

    **Arguments**

    - `make_model`: a callable that returns a PyTree.

    **Returns**

    A function with the parameters of `make_model` that returns a pair: the model and its [`State`][equinox.nn.State].

    **Raises** (on calling the result)

    - `ValueError`: the initial values have been deleted, as they are from a model that was made with a state already.
    - `TypeError`: an initial value has leaves that are neither arrays nor numbers.

    **Example**
    ```python
    >>> norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(2, axis_name="batch", mode="ema")
    >>> state
    State(
      BatchNorm.ema_first_time_index=bool[],
      BatchNorm.ema_state_index=(f32[2], f32[2])
    )
    >>> x = jax.random.normal(jax.random.key(0), (5, 2))
    >>> y, state = jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(x, state)

    ```
    """

    @functools.wraps(make_model, updated=())  # what a class has in its `__dict__` is not for a function
    def make(*args: _P.args, **kwargs: _P.kwargs) -> tuple[_T, State]:
        model = make_model(*args, **kwargs)
        root = type(model).__name__

        def name(path: KeyPath, node: Any) -> Any:
            return renamed(node, f"{root}{keystr(path)}") if is_index(node) else node

        named: _T = jax.tree_util.tree_map_with_path(name, model, is_leaf=is_index)
        return delete_init_state(named), State(named)

    return make


def _indices(tree: _PyTree) -> list[tuple[KeyPath, StateIndex[Any]]]:
    """All indices in a tree, with their key paths."""
    nodes = tree_leaves_with_path(tree, is_leaf=is_index)
    return [(path, node) for path, node in nodes if is_index(node)]


def _initial_value(path: KeyPath, index: StateIndex[Any]) -> _PyTree:
    if not has_init(index):
        raise ValueError(
            f"{locate('model', path)} has lost its initial value, which is in the state that was made with the model. "
            "Use that state; or make a model together with a new one by `eqx.nn.make_with_state`."
        )
    for leaf_path, leaf in tree_leaves_with_path(index.init):
        if not is_array_like(leaf):
            where = locate("model", (*path, jax.tree_util.GetAttrKey("init"), *leaf_path))
            raise TypeError(f"{where} must be an array or a number to be part of a state, found {describe(leaf)}.")
    return jax.tree.map(_as_array, index.init)


def _marker(index: StateIndex[Any], values: Mapping[object, _PyTree]) -> object:
    """The key of the value that an index refers to."""
    if not is_index(cast(object, index)):
        raise ValueError(f"{locate('index')} must be a `StateIndex`, found {describe(index)}.")
    if index.marker not in values:
        raise KeyError(
            f"The state has no value for {_listed([index.marker])}, only {_listed(values) or 'none at all'}. It "
            "belongs to another model, or to another part of it."
        )
    return index.marker


def _key(marker: object) -> Any:
    """The entry of a key path that leads to the value of a marker."""
    return jax.tree_util.DictKey(marker)


def _listed(markers: Iterable[object]) -> str:
    return ", ".join(f"`{marker}`" for marker in markers)


def _like(argument: str, old: _PyTree, new: _PyTree, path: KeyPath = ()) -> _PyTree:
    """Return a value as JAX arrays, if it may take the place of another one."""
    old_leaves, old_structure = tree_flatten(old)
    new_leaves, new_structure = tree_flatten(new)
    if old_structure == new_structure and all(map(is_array_like, new_leaves)):
        arrays = [_as_array(leaf) for leaf in new_leaves]
        if all(a.shape == b.shape and a.dtype == b.dtype for a, b in zip(old_leaves, arrays, strict=True)):
            return new_structure.unflatten(map(_as_strong, old_leaves, arrays))
        new = new_structure.unflatten(arrays)
    raise ValueError(
        f"{locate(argument, path)} must have the structure, shapes and dtypes of the value that it replaces, "
        f"`{tree_pformat(old)}`, found `{tree_pformat(new)}`."
    )


def _as_array(leaf: Any) -> Array:
    return jnp.asarray(leaf)


def _as_strong(old: Array, new: Array) -> Array:
    # So that a function which is compiled for the state is not compiled again for the next one.
    is_weak = getattr(new, "weak_type", False) and not getattr(old, "weak_type", False)  # PRNG keys have none
    return jnp.asarray(new, new.dtype) if is_weak else new
