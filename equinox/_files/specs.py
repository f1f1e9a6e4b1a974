"""How one leaf is written to a file, and read from it, where the user does not say otherwise."""

from typing import Any

from .checked_file import CheckedFile
from .leaves import from_stored, is_stored, to_stored
from .records import read_record, write_record
from .streams import Readable, Writable


def default_serialise_filter_spec(f: Writable, x: Any) -> None:
    """Write one leaf of a PyTree: the default `filter_spec` of `tree_serialise_leaves`, for your own to fall back on.

    **Arguments**

    - `f`: a binary file that is open for writing.
    - `x`: the leaf. JAX arrays (PRNG keys too), NumPy arrays and NumPy scalars, and Python `bool`s, `int`s, `float`s
        and `complex`es are written, in NumPy's `.npy` format; for everything else nothing is written.

    **Raises**

    - `TypeError`: for an array of Python objects, which only pickle could write, and for an object that has
        `__jax_array__` but is none of the above.
    - `OverflowError`: for a Python `int` of more than 64 bits.

    **Example**
    ```python
    >>> def without_biases(f, x):
    ...     if x.ndim > 1:
    ...         eqx.default_serialise_filter_spec(f, x)
    >>> eqx.tree_serialise_leaves("model", eqx.nn.Linear(2, 2, key=jax.random.key(0)), without_biases)

    ```
    """
    array = to_stored(x)
    if array is not None:
        write_record(f, array)


def default_deserialise_filter_spec(f: Readable, x: Any) -> Any:
    """Read one leaf of a PyTree: the default `filter_spec` of `tree_deserialise_leaves`, for your own to fall back on.

    **Arguments**

    - `f`: a binary file that is open for reading, at the record of this leaf.
    - `x`: the leaf of `like`, which says what to make of the record: an array of the same library, PRNG keys of the
        same implementation, a number of the same type. For a `jax.ShapeDtypeStruct`, a JAX array is made, in its
        sharding if it has one. For anything else nothing is read.

    **Returns**

    The new leaf, with the shape and dtype of the record; or `x` itself.

    **Raises**

    - `EOFError`, `ValueError`: if there is no whole record, or it holds pickled objects.
    - `TypeError`, `ValueError`: if the record cannot be such a leaf without losing information, like 1.5 as an `int`.

    **Example**
    ```python
    >>> def as_bfloat16(f, x):
    ...     return eqx.default_deserialise_filter_spec(f, x).astype(jnp.bfloat16)
    >>> eqx.tree_serialise_leaves("weights", [jnp.ones(2)])
    >>> eqx.tree_deserialise_leaves("weights", [jax.ShapeDtypeStruct((2,), "bfloat16")], as_bfloat16)
    [Array([1, 1], dtype=bfloat16)]

    ```
    """
    if not is_stored(x):
        return x
    described = f.record if isinstance(f, CheckedFile) else None
    return from_stored(read_record(f), None if described is None else described.dtype, x)
