"""The error that says at which leaf saving or loading failed."""

from .._jax_tree import KeyPath, keystr


class TreePathError(RuntimeError):
    """Saving or loading failed at a leaf; what was wrong there is the error's `__cause__`, where it has one.

    **Attributes**

    - `path`: the key path of the leaf, a tuple of JAX's key objects, such as `(GetAttrKey("weight"),)`.

    **Example**
    ```python
    >>> import io
    >>> try:
    ...     eqx.tree_deserialise_leaves(io.BytesIO(b"not an array"), {"weight": jnp.ones(2)})
    ... except eqx.TreePathError as error:
    ...     print(error.path)
    (DictKey(key='weight'),)

    ```
    """

    path: KeyPath

    def __init__(self, path: KeyPath, message: str) -> None:
        # Both are passed on, so that the error can be pickled and sent to another process.
        super().__init__(path, message)
        self.path = path

    def __str__(self) -> str:
        message: str = self.args[1]
        return message


def error_at_leaf(argument: str, path: KeyPath, reason: object) -> TreePathError:
    """Say that something was wrong at a leaf of an argument, and what."""
    return TreePathError(
        path, f"Error at leaf with path {path} (leaf {show_name(keystr(path))} of `{argument}`): {reason}"
    )


def show_name(name: str) -> str:
    """Write the name of a leaf, its key path as text, as it stands in a message."""
    return f"`{name}`" if name else "at the root"
