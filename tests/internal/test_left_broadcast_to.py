import jax.numpy as jnp
import pytest

from equinox.internal import left_broadcast_to


@pytest.mark.parametrize(
    ("shape", "target"), [((), (2, 3)), ((2,), (2, 3)), ((2, 1), (2, 3, 4)), ((2, 3), (2, 3)), ((1,), (4,))]
)
def test_missing_axes_are_the_last_ones(shape, target):
    x = jnp.arange(max(1, jnp.zeros(shape).size)).reshape(shape)
    result = left_broadcast_to(x, target)
    assert result.shape == target
    expected = jnp.broadcast_to(x.reshape(shape + (1,) * (len(target) - len(shape))), target)
    assert jnp.array_equal(result, expected)


@pytest.mark.parametrize(("shape", "target"), [((3,), (2, 3)), ((2, 3), (2,)), ((2, 1), (3, 1))])
def test_shapes_that_do_not_fit_are_an_error(shape, target):
    with pytest.raises(ValueError, match=r"\(2|2,|\[3\]|\[2,1"):
        left_broadcast_to(jnp.zeros(shape), target)
