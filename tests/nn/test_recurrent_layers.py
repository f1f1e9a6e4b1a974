"""Several layers of recurrent cells, in one or both directions: what `GRU` and `LSTM` have in common."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)
xs = jax.random.normal(key, (5, 3))
CELLS: dict[Any, Any] = {eqx.nn.GRU: eqx.nn.GRUCell, eqx.nn.LSTM: eqx.nn.LSTMCell}
both = pytest.mark.parametrize("layer", CELLS, ids=lambda layer: layer.__name__)


@both
def test_each_cell_has_its_own_part_of_the_key(layer):
    stack = layer(3, 2, 2, True, key=key)
    cells = [rnn.cell for rnns in stack.layers for rnn in rnns]
    sizes = [3, 3, 4, 4]
    keys = jax.random.split(key, 4)
    expected = [CELLS[layer](size, 2, key=part) for size, part in zip(sizes, keys, strict=True)]
    assert jax.tree.all(jax.tree.map(jnp.array_equal, cells, expected))
    assert [[rnn.reverse for rnn in rnns] for rnns in stack.layers] == [[False, True], [False, True]]


@both
def test_a_layer_above_reads_the_outputs_of_the_one_below(layer):
    stack = layer(3, 2, 2, key=key)
    outputs, last = stack(xs)
    (first,), (second,) = stack.layers
    below, below_last = first(xs)
    above, above_last = second(below)
    np.testing.assert_allclose(outputs, above, rtol=1e-6)
    jax.tree.map(lambda found, *rows: np.testing.assert_allclose(found, jnp.stack(rows)), last, below_last, above_last)


@both
@pytest.mark.parametrize("name", ["bias", "use_bias"])
def test_cells_may_have_no_bias(layer, name):
    stack = layer(3, 2, 2, **{name: False}, key=key)
    assert not stack.use_bias
    assert all(rnn.cell.bias is None for rnns in stack.layers for rnn in rnns)


@both
def test_dropout_is_between_the_layers_alone(layer):
    stack = layer(3, 2, 3, dropout=0.5, key=key)
    outputs, _ = stack(xs, key=key)
    x = xs
    for i, (rnn,) in enumerate(stack.layers):
        if i > 0:
            x = eqx.nn.Dropout(0.5)(x, key=jax.random.split(key, 2)[i - 1])
        x, _ = rnn(x)
    np.testing.assert_allclose(outputs, x, rtol=1e-6)


@both
def test_dropout_needs_a_key_unless_it_drops_nothing(layer):
    stack = layer(3, 2, 2, dropout=0.5, key=key)
    with pytest.raises(RuntimeError, match="key"):
        stack(xs)
    expected, _ = layer(3, 2, 2, key=key)(xs)
    for spelling in "inference", "deterministic":
        assert jnp.array_equal(stack(xs, **{spelling: True})[0], expected)
        assert jnp.array_equal(layer(3, 2, 2, dropout=0.5, **{spelling: True}, key=key)(xs)[0], expected)
    assert jnp.array_equal(eqx.nn.inference_mode(stack)(xs)[0], expected)
    with pytest.raises(ValueError, match="`inference=True` and `deterministic=False`"):
        stack(xs, inference=True, deterministic=False)


@both
def test_a_single_layer_has_nothing_to_drop(layer):
    stack = layer(3, 2, dropout=0.5, key=key)
    assert jnp.array_equal(stack(xs)[0], stack(xs, key=key)[0])


@both
def test_initialisers_are_those_of_all_cells(layer):
    def ones(key, shape, dtype):
        return jnp.ones(shape, dtype)

    stack = layer(3, 2, 2, True, weight_init=ones, bias_init=ones, key=key)
    assert all(jnp.all(leaf == 1) for leaf in jax.tree.leaves(eqx.filter(stack.layers, eqx.is_array)))


@both
def test_bad_options_are_errors_that_name_them(layer):
    with pytest.raises(ValueError, match="`num_layers` must be at least 1"):
        layer(3, 2, 0, key=key)
    with pytest.raises(ValueError, match="`input_size`"):
        layer(-1, 2, key=key)
    with pytest.raises(ValueError, match="`hidden_size`"):
        layer(3, 2.5, key=key)
    with pytest.raises(ValueError, match="`p` must be a probability"):
        layer(3, 2, 2, False, 1.5, key=key)
    with pytest.raises(ValueError, match="`unroll`"):
        layer(3, 2, unroll=0, key=key)


@both
def test_wrong_inputs_are_errors_that_name_them(layer):
    stack, name = layer(3, 2, 2, key=key), layer.__name__
    with pytest.raises(ValueError, match=rf"`xs` of `{name}` must have shape \(any, 3\).*jax\.vmap"):
        stack(jnp.ones((4, 5, 3)))
    hidden = jnp.ones((1, 2))
    with pytest.raises(ValueError, match=rf"`hidden.* of `{name}` must have shape \(2, 2\), found shape \(1, 2\)"):
        stack(xs, (hidden, hidden) if layer is eqx.nn.LSTM else hidden)
