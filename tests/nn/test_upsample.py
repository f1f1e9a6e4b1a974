"""Interpolation along the spatial axes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import equinox as eqx
from tests.nn.recorded import cases, tolerance

RECORDED = cases("upsample")


def numbers(array: Any, kind: Any) -> Any:
    return kind(array) if array.ndim == 0 else tuple(map(kind, array))


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does(case):
    torch = RECORDED[case]
    mode: Any = case.split(":")[1]
    options: Any = {"size": numbers(torch["size"], int)} if "size" in torch else {}
    scale: Any = numbers(torch["scale_factor"], float) if "scale_factor" in torch else None
    layer = eqx.nn.Upsample(scale, mode, **options, align_corners=bool(torch["align_corners"]))
    with jax.enable_x64(torch["x"].dtype == np.float64):
        y = eqx.filter_jit(layer)(jnp.asarray(torch["x"]))
        assert y.dtype == torch["y"].dtype
        np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


@pytest.mark.parametrize("align_corners", [False, True])
def test_a_straight_line_stays_one(align_corners):
    layer = eqx.nn.Upsample(size=17, mode="linear", align_corners=align_corners)
    y = np.asarray(layer(jnp.arange(9.0)[jnp.newaxis])[0])
    step = 8 / 16 if align_corners else 9 / 17
    inside = slice(4, -4)  # near the ends, it goes on evenly
    np.testing.assert_allclose(np.diff(y)[inside], step, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["int8", "bfloat16", "float16", "complex64"])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_result_dtypes_and_strict_promotion(mode, dtype):
    x = jnp.array([[1, 3]], dtype)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        y = eqx.nn.Upsample(size=3, mode=mode)(x)
    assert y.dtype == ("float32" if dtype == "int8" and mode == "linear" else dtype)
    assert jnp.array_equal(y.astype("complex64"), jnp.array([[1, 1 if mode == "nearest" else 2, 3]]))


def test_derivatives_and_batches():
    layer = eqx.nn.Upsample((1.5, 2.0), "cubic")
    x = jax.random.normal(jax.random.key(0), (2, 3, 2))
    check_grads(layer, (x,), order=1, modes=["fwd", "rev"], rtol=2e-2, atol=1e-2)
    batch = jnp.stack([x, 2 * x])
    np.testing.assert_allclose(jax.vmap(layer)(batch)[1], layer(2 * x), rtol=1e-5, atol=1e-6)


def test_options_are_static_plain_and_hashable():
    layer = eqx.nn.Upsample([np.float64(2), 3], "linear")
    assert layer.scale == (2.0, 3.0)
    assert layer.size is None
    assert eqx.nn.Upsample(size=[np.int32(2), 3]).size == (2, 3)
    assert jax.tree.leaves(layer) == []
    hash(jax.tree.structure(layer))


@pytest.mark.parametrize(
    ("options", "name", "found"),
    [
        ({}, "scale", "neither"),
        ({"scale": 2, "size": 2}, "scale", "both"),
        ({"scale": 0}, "scale", "0"),
        ({"scale": (1, float("inf"))}, "scale", "inf"),
        ({"size": 0}, "size", "0"),
        ({"size": (2, -1)}, "size", "-1"),
        ({"size": 1.5}, "size", "1.5"),
        ({"scale": 2, "mode": "bilinear"}, "mode", "'bilinear'"),
        ({"scale": 2, "align_corners": True}, "align_corners", "'nearest'"),
    ],
)
def test_a_bad_option_is_an_error_that_names_it(options, name, found):
    with pytest.raises(ValueError, match=f"`{name}`") as info:
        eqx.nn.Upsample(**options)
    assert found in str(info.value)


@pytest.mark.parametrize("shape", [(), (2, 3), (2, 3, 4, 5), (2, 0, 3)])
def test_an_input_with_other_axes_is_an_error(shape):
    with pytest.raises(ValueError, match=r"`x` of `Upsample`.*`size=\(2, 2\)`") as info:
        eqx.nn.Upsample(size=(2, 2))(jnp.ones(shape))
    assert str(shape) in str(info.value)
