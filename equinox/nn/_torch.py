"""`load_torch` and `to_torch_state_dict`: the parameters of a whole model, from PyTorch and for it.

PyTorch itself is not needed: a state dict is a mapping from names to things that NumPy can read.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar, overload

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import locate
from .._jax_tree import KeyPath, tree_flatten_with_path
from ._state import State
from ._state_index import is_index
from ._torch_layouts import Arrays, NumPyArray
from ._torch_names import Entry, entries, is_numeric, loaded

_T = TypeVar("_T")
_PyTree: TypeAlias = Any

_MAX_LISTED = 20


@overload
def load_torch(layer: _T, state_dict: Mapping[str, Any], state: None = None) -> _T: ...
@overload
def load_torch(layer: _T, state_dict: Mapping[str, Any], state: State) -> tuple[_T, State]: ...
def load_torch(layer: _T, state_dict: Mapping[str, Any], state: State | None = None) -> _T | tuple[_T, State]:
    """Give a model the parameters of a PyTorch model that is built in the same way.

    Parameters are found by name: PyTorch's `encoder.layers.0.weight` is that of `model.encoder.layers[0]`, so the
    attributes of the two models have to be called alike. Layers of a [`Sequential`][equinox.nn.Sequential] are
    numbered, as in PyTorch, unless they have names. Where a layer of this library holds its parameters in another form
    than PyTorch's does, or under other names, that is taken care of; so afterwards both compute the same, up to
    rounding.

    **Arguments**

    - `layer`: a layer or a whole model, any PyTree. Its numbers do not matter, and there may be a
        `jax.ShapeDtypeStruct` in place of any array, as in what [`filter_eval_shape`][equinox.filter_eval_shape]
        returns.
    - `state_dict`: what the method `state_dict` of the PyTorch model returns, or else NumPy arrays by these names. Each
        must have the shape that is expected, and is cast to the dtype that the model has.
    - `state`: the state that was made together with the model. It is needed if there is a
        [`BatchNorm`][equinox.nn.BatchNorm], for instance, whose running averages are among PyTorch's arrays, and cannot
        be used afterwards.

    **Returns**

    A model like `layer`; if `state` is given, that and the new state as a pair. PyTorch never subtracts from running
    averages what is left in them of what they started from; from these, neither does `BatchNorm`.

    **Raises**

    - `ValueError`: a name is missing in `state_dict`, is there without a counterpart in the model, or has an array of
        another shape, or complex numbers for real ones; a layer is such that PyTorch has none like it; `state` is
        missing.

    **Example**
    ```python
    >>> model = eqx.nn.Sequential([
    ...     eqx.nn.Conv2d(1, 2, 3, key=jax.random.key(0)),
    ...     eqx.nn.PReLU(),
    ... ])
    >>> state_dict = {"0.weight": np.ones((2, 1, 3, 3)), "0.bias": np.zeros(2), "1.weight": np.array([0.1])}
    >>> model = eqx.nn.load_torch(model, state_dict)
    >>> model[0].bias.shape
    (2, 1, 1)

    ```
    """
    filled = _filled(layer, state)
    arrays = {name: _as_numpy(array) for name, array in state_dict.items()}
    stand_ins = jax.tree.map(_stand_in, filled)
    # How many batches there were is what old versions of PyTorch did not count.
    expected = [entry for entry in entries(stand_ins, ()) if entry.name in arrays or not _is_count(entry.name)]
    _check(expected, arrays)
    new = jax.tree.map(_as_before, filled, loaded(stand_ins, (), arrays))

    def replace(node: Any, value: Any) -> Any:
        nonlocal state
        if not is_index(node):
            return value
        assert state is not None  # or else there would have been an error
        state = state.set(node, value)
        return node

    model: _T = jax.tree.map(replace, layer, new, is_leaf=is_index)
    return model if state is None else (model, state)


def to_torch_state_dict(layer: _PyTree, state: State | None = None) -> Arrays:
    """Return the parameters of a model as a PyTorch model that is built in the same way holds them.

    It is the reverse of [`load_torch`][equinox.nn.load_torch], which says what they are called.

    **Arguments**

    - `layer`: a layer or a whole model, any PyTree.
    - `state`: the state that was made together with the model. It is needed if there is a
        [`BatchNorm`][equinox.nn.BatchNorm], for instance.

    **Returns**

    NumPy arrays by name. In PyTorch, `torch_model.load_state_dict({name: torch.from_numpy(array) for name, array in
    state_dict.items()})` takes them over. Numbers of a dtype that NumPy itself has not, such as `bfloat16`, are
    `float32`.

    **Raises**

    - `ValueError`: a layer is such that PyTorch has none like it; a leaf is a `jax.ShapeDtypeStruct`; `state` is
        missing.

    **Example**
    ```python
    >>> cell = eqx.nn.GRUCell(2, 3, key=jax.random.key(0))
    >>> state_dict = eqx.nn.to_torch_state_dict(cell)
    >>> {name: array.shape for name, array in state_dict.items()}
    {'weight_ih': (9, 2), 'weight_hh': (9, 3), 'bias_ih': (9,), 'bias_hh': (9,)}

    ```
    """
    filled = _filled(layer, state)
    for path, leaf in tree_flatten_with_path(filled)[0]:
        if isinstance(leaf, jax.ShapeDtypeStruct):
            raise ValueError(f"{locate('layer', path)} must be an array, found only its shape: {leaf}.")
    numbers = jax.tree.map(_as_numbers, filled)
    return {name: np.array(_in_numpy_dtype(array)) for name, array, _ in entries(numbers, ())}


def _check(expected: list[Entry], arrays: Arrays) -> None:
    """Raise an error that lists all names at which a state dict is not as expected."""
    problems = [
        f"`{name}`, for {locate('layer', path)}: expected {_summary(array)}, found {_summary(arrays.get(name))}"
        for name, array, path in expected
        if name not in arrays or arrays[name].shape != array.shape or not _is_castable(arrays[name], array)
    ]
    names = {entry.name for entry in expected}
    problems += [f"`{name}`: expected nothing, found {_summary(arrays[name])}" for name in arrays if name not in names]
    if problems:
        listed = "".join(f"\n- {problem}" for problem in problems[:_MAX_LISTED])
        more = f"\n- and {len(problems) - _MAX_LISTED} more" if len(problems) > _MAX_LISTED else ""
        raise ValueError(f"{locate('state_dict')} does not fit the model:{listed}{more}")


def _summary(array: NumPyArray | None) -> str:
    return "nothing" if array is None else f"{array.dtype}[{','.join(map(str, array.shape))}]"


def _is_castable(found: NumPyArray, expected: NumPyArray) -> bool:
    """Whether nothing but precision is lost."""
    kinds = (np.bool_, np.integer, np.floating, np.complexfloating)
    rank, limit = (
        next(i for i, kind in enumerate(kinds) if jnp.issubdtype(array.dtype, kind)) for array in (found, expected)
    )
    return rank <= limit


def _is_count(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _filled(layer: _PyTree, state: State | None) -> _PyTree:
    """The model with the values of a state in place of the indices that refer to them."""

    def fill(path: KeyPath, node: Any) -> Any:
        if not is_index(node):
            return node
        if state is None:
            raise ValueError(
                f"{locate('state')} is missing: {locate('layer', path)} refers to a value in the state that was made "
                "together with the model."
            )
        return state.get(node)

    return jax.tree_util.tree_map_with_path(fill, layer, is_leaf=is_index)


def _stand_in(leaf: Any) -> Any:
    """An array of the same shape and dtype that takes no memory."""
    return np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape) if is_numeric(leaf) else leaf


def _as_numbers(leaf: Any) -> Any:
    return np.asarray(leaf) if is_numeric(leaf) else leaf


def _as_numpy(array: Any) -> NumPyArray:
    """A tensor of PyTorch's, or anything that NumPy can read, as a NumPy array."""
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        if str(array.dtype) in _WITHOUT_NUMPY:
            array = array.float()
    return np.asarray(array)


# Among PyTorch's dtypes those for which NumPy has none.
_WITHOUT_NUMPY = {"torch.bfloat16"}


def _in_numpy_dtype(array: NumPyArray) -> NumPyArray:
    return array if array.dtype.isbuiltin == 1 else array.astype(np.float32)


def _as_before(old: Any, new: Any) -> Any:
    """New numbers in the dtype of the old ones, and as an array of JAX's unless the old one was of NumPy's."""
    if not is_numeric(old):
        return old
    array = np.array(new, old.dtype)  # a copy: PyTorch may go on to change the numbers in place
    return array if isinstance(old, np.ndarray) else jnp.asarray(array)
