"""`GetKey`: a new random key for every call, for tests."""

import random

import jax

from .._runtime.environment import GETKEY_SEED


class GetKey:
    """Call an instance for a random key that is different each time. For tests: it is no PyTree, and has a state.

    **Arguments**

    - `seed`: determines the keys. The default is the environment variable `EQX_GETKEY_SEED`; without one, a random
      seed. It is printed with the instance, as `pytest` does where a test fails, so that a failure can be repeated.

    **Example**
    ```python
    >>> getkey = GetKey(seed=0)
    >>> bool((getkey() == getkey()).all())
    False
    >>> getkey.call
    2

    ```
    """

    def __init__(self, seed: int | None = GETKEY_SEED) -> None:
        self.seed: int = random.randint(0, 2**31 - 1) if seed is None else seed
        #: How often it has been called.
        self.call: int = 0
        self.key: jax.Array = jax.random.PRNGKey(self.seed)

    def __call__(self) -> jax.Array:
        self.call += 1
        return jax.random.fold_in(self.key, self.call)

    def __repr__(self) -> str:
        return f"GetKey(seed={self.seed}, call={self.call}, key={self.key!r})"
