"""Make arrays depend on something that happens on the host, in a way that the compiler cannot see through."""

from typing import Any, Final, cast

import jax
import jax.numpy as jnp
import numpy as np

#: What a callback returns, and what `after` expects: zero. The compiler does not know that it always is.
TOKEN: Final = jax.ShapeDtypeStruct((), np.dtype(np.float32))  # type: ignore[no-untyped-call] # it has no annotations


def after(token: Any, array: Any) -> Any:
    """The array, which is not there before the token is."""
    # Were the alternative a constant, the compiler would drop the token wherever the array is the same constant.
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        data = after(token, jax.random.key_data(array))
        return cast(Any, jax.random.wrap_key_data(data, impl=jax.random.key_impl(array)))
    return jnp.where(token == 0, array, jnp.full_like(array, token.astype(array.dtype)))
