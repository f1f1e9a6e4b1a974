"""Convolutions over time that look back only."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

key = jax.random.key(0)
RECORDED = cases("causal_conv")


@pytest.mark.parametrize("case", RECORDED)
def test_it_computes_what_pytorch_does_whole_and_in_chunks(case):
    torch = RECORDED[case]
    x, weight = torch["x"], torch["weight"]
    stride, dilation, groups = (int(torch[name]) for name in ("stride", "dilation", "groups"))
    with jax.enable_x64(x.dtype == np.float64):
        conv = eqx.nn.CausalConv1d(2, 4, weight.shape[2], stride, dilation, groups, dtype=x.dtype, key=key)
        conv = eqx.tree_at(lambda conv: (conv.weight, conv.bias), conv, (weight, torch["bias"].reshape(-1, 1)))
        general = eqx.nn.Conv1d(2, 4, weight.shape[2], stride, "causal", dilation, groups, dtype=x.dtype, key=key)
        general = eqx.tree_at(lambda conv: (conv.weight, conv.bias), general, (conv.weight, conv.bias))

        @jax.jit
        def compute(x):
            # The last chunk is filled up to a multiple of the stride, with what has no influence.
            chunks = [x[:, :4], jnp.concatenate([x[:, 4:], x[:, :1]], axis=1)]
            buffer = conv.init_buffer()
            first, buffer = conv(chunks[0], buffer)
            second, buffer = conv(chunks[1], buffer)
            return conv(x), general(x), jnp.concatenate([first, second], axis=1)[:, : -(-7 // stride)]

        for y in compute(jnp.asarray(x)):
            assert y.dtype == torch["y"].dtype
            np.testing.assert_allclose(y, torch["y"], **tolerance(torch["y"]))


def test_it_can_be_fed_one_step_at_a_time_by_scan():
    conv = eqx.nn.CausalConv1d(2, 3, 3, dilation=2, key=key)
    x = jax.random.normal(key, (2, 6))

    def advance(buffer, step):
        y, buffer = conv(step[:, jnp.newaxis], buffer)
        return buffer, y[:, 0]

    _, ys = jax.lax.scan(advance, conv.init_buffer(), x.T)
    np.testing.assert_allclose(ys.T, conv(x), rtol=1e-5, atol=1e-6)


def test_no_output_depends_on_later_inputs():
    conv = eqx.nn.CausalConv1d(1, 1, 3, key=key)
    jacobian = jax.jacobian(lambda x: conv(x[jnp.newaxis])[0])(jnp.ones(5))
    assert jnp.array_equal(jacobian != 0, jnp.tril(jnp.ones((5, 5), bool)) & ~jnp.tril(jnp.ones((5, 5), bool), -3))


def test_the_buffer_holds_the_last_inputs_and_keeps_its_dtype():
    conv = eqx.nn.CausalConv1d(1, 1, 3, dtype="bfloat16", key=key)
    assert conv.init_buffer().dtype == "bfloat16"
    buffer = conv.init_buffer("float32")
    assert buffer.shape == (1, 2)
    _, buffer = conv(jnp.array([[1.0]], "bfloat16"), buffer)
    assert jnp.array_equal(buffer, jnp.array([[0.0, 1.0]]))
    y, buffer = conv(jnp.array([[2.0, 3.0, 4.0]], "bfloat16"), buffer)
    assert y.dtype == "bfloat16"
    assert buffer.dtype == "float32"
    assert jnp.array_equal(buffer, jnp.array([[3.0, 4.0]]))


def test_it_is_a_conv1d_with_the_same_parameters():
    conv = eqx.nn.CausalConv1d(2, 4, 3, groups=2, use_bias=False, key=key)
    assert isinstance(conv, eqx.nn.Conv1d)
    assert conv.padding == "CAUSAL"
    assert jnp.array_equal(conv.weight, eqx.nn.Conv1d(2, 4, 3, groups=2, use_bias=False, key=key).weight)
    assert conv.bias is None


def test_other_padding_modes_continue_the_input_before_its_start():
    conv = eqx.nn.Conv1d(1, 1, 3, padding="Causal", padding_mode="replicate", use_bias=False, key=key)
    x = jnp.array([[2.0, 3.0]])
    np.testing.assert_allclose(conv(x)[0, 0], 2 * conv.weight.sum(), rtol=1e-5)


@pytest.mark.parametrize("axes", [0, 2])
def test_causal_padding_is_for_one_axis(axes):
    with pytest.raises(ValueError, match=f"`padding`.*'causal'.*{axes}"):
        eqx.nn.Conv(axes, 1, 1, 3, padding="causal", key=key)


def test_transposed_convolutions_have_no_causal_padding():
    with pytest.raises(ValueError, match="`padding`"):
        eqx.nn.ConvTranspose1d(1, 1, 3, padding="causal", key=key)


@pytest.mark.parametrize(
    ("x", "buffer", "name", "found"),
    [
        (jnp.ones((2, 4)), jnp.ones((2, 3)), "buffer", "(2, 3)"),
        (jnp.ones((1, 4)), jnp.ones((2, 2)), "x", "(1, 4)"),
        (jnp.ones((2, 3)), jnp.ones((2, 2)), "x", "(2, 3)"),
    ],
)
def test_a_bad_chunk_or_buffer_is_an_error(x, buffer, name, found):
    conv = eqx.nn.CausalConv1d(2, 1, 3, stride=2, key=key)
    with pytest.raises(ValueError, match=f"`{name}` of `CausalConv1d`") as info:
        conv(x, buffer)
    assert found in str(info.value)


def test_an_input_of_another_shape_is_an_error():
    conv: Any = eqx.nn.CausalConv1d(2, 1, 3, key=key)
    with pytest.raises(ValueError, match=r"`x` of `CausalConv1d` must have shape \(2, any\)"):
        conv(jnp.ones((3, 2, 5)))
