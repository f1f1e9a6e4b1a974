"""`str2jax`: a text that can be where JAX expects a PyTree."""

from wadler_lindig import AbstractDoc, TextDoc

from .._module import Module


def str2jax(msg: str) -> Module:
    """Make an object that prints as a text, and that all of JAX's transformations take: a PyTree without leaves.

    **Arguments**

    - `msg`: the text.

    **Returns**

    The object. Two calls return two that are not equal: each has a type of its own.

    **Example**
    ```python
    >>> jax.jit(lambda x: x)(str2jax("unknown"))
    unknown

    ```
    """

    class Text(Module):
        def __repr__(self) -> str:
            return msg

        def __pdoc__(self, **kwargs: object) -> AbstractDoc:
            del kwargs
            return TextDoc(msg)

    Text.__name__ = Text.__qualname__ = msg
    return Text()
