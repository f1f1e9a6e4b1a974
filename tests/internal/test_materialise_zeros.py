import jax
import jax.numpy as jnp
import numpy as np
import pytest

from equinox.internal import materialise_zeros

X = jnp.array(3.0)


@pytest.mark.parametrize("primal", [X, jnp.ones((2, 3), jnp.bfloat16), np.ones(2, np.float32), 2.5, 1j])
def test_missing_tangents_become_zeros(primal):
    zeros = materialise_zeros(primal, None)
    assert zeros.shape == np.shape(primal)
    assert zeros.dtype == jnp.asarray(primal).dtype
    assert not zeros.any()


def test_zeros_are_made_for_what_has_tangents_only():
    assert materialise_zeros(jnp.arange(3), None).dtype == jax.dtypes.float0
    assert materialise_zeros(True, None).dtype == jax.dtypes.float0
    assert materialise_zeros("text", None) is None
    assert materialise_zeros(None, None) is None
    tangent = object()
    assert materialise_zeros(X, tangent) is tangent
    struct = jax.ShapeDtypeStruct((3,), jnp.float32)
    assert materialise_zeros(struct, None) is None
    assert materialise_zeros(struct, None, allow_struct=True).tolist() == [0, 0, 0]
