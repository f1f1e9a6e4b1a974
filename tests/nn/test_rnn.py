"""A recurrent cell along a sequence."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)
GRU_CELL, LSTM_CELL = eqx.nn.GRUCell(3, 2, key=key), eqx.nn.LSTMCell(3, 2, key=key)
xs = jax.random.normal(key, (5, 3))
hidden = jnp.array([0.5, -1.0])
reading = eqx.filter_jit(lambda rnn, *args, **kwargs: rnn(*args, **kwargs))


def looped(cell, hidden, xs):
    """The hidden states after each element, by a loop in Python."""
    hiddens = []
    for x in xs:
        hidden = cell(x, hidden)
        hiddens.append(hidden)
    return hiddens


def test_it_hands_the_hidden_state_from_step_to_step():
    expected = looped(GRU_CELL, hidden, xs)
    outputs, last = reading(eqx.nn.RNN(GRU_CELL, return_carry=True), xs, hidden)
    np.testing.assert_allclose(outputs, jnp.stack(expected), rtol=1e-5)
    np.testing.assert_allclose(last, expected[-1], rtol=1e-5)
    assert jnp.array_equal(reading(eqx.nn.RNN(GRU_CELL), xs, hidden), outputs)


def test_the_output_of_an_lstm_is_the_first_half_of_its_hidden_state():
    expected = looped(LSTM_CELL, (hidden, 2 * hidden), xs)
    outputs, last = reading(eqx.nn.RNN(LSTM_CELL, return_carry=True), xs, (hidden, 2 * hidden))
    np.testing.assert_allclose(outputs, jnp.stack([h for h, _ in expected]), rtol=1e-5)
    np.testing.assert_allclose(jnp.stack(last), jnp.stack(expected[-1]), rtol=1e-5)


@pytest.mark.parametrize("cell", [GRU_CELL, LSTM_CELL], ids=["gru", "lstm"])
def test_the_hidden_state_starts_from_zeros(cell):
    zeros = (jnp.zeros(2), jnp.zeros(2)) if cell is LSTM_CELL else jnp.zeros(2)
    rnn = eqx.nn.RNN(cell)
    assert jnp.array_equal(reading(rnn, xs), reading(rnn, xs, zeros))


def test_in_reverse_it_goes_from_the_end_to_the_beginning():
    outputs, last = reading(eqx.nn.RNN(GRU_CELL, reverse=True, return_carry=True), xs, hidden)
    expected = looped(GRU_CELL, hidden, xs[::-1])
    np.testing.assert_allclose(outputs, jnp.stack(expected[::-1]), rtol=1e-5)
    np.testing.assert_allclose(last, expected[-1], rtol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
def test_elements_beyond_the_length_have_no_effect_and_no_output(reverse):
    rnn = eqx.nn.RNN(LSTM_CELL, reverse=reverse, return_carry=True)
    batched = eqx.filter_jit(jax.vmap(lambda length: rnn(xs, length=length)))
    outputs, last = jax.tree.map(np.asarray, batched(jnp.arange(7)))
    for length in 0, 3, 5, 6:  # the last one is more than there are
        part, part_last = reading(rnn, xs[:length])
        np.testing.assert_allclose(outputs[length, :length], part, rtol=1e-5, atol=1e-6)
        assert not outputs[length, length:].any()
        np.testing.assert_allclose(np.stack(last)[:, length], np.stack(part_last), rtol=1e-5, atol=1e-6)


def test_gradients_do_not_flow_to_elements_beyond_the_length():
    gradient = jax.grad(lambda xs: eqx.nn.RNN(GRU_CELL)(xs, length=3).sum())(xs)
    assert [bool(row.any()) for row in gradient] == [True, True, True, False, False]


@pytest.mark.parametrize("unroll", [3, True])
def test_unrolling_changes_nothing_in_the_result(unroll):
    np.testing.assert_allclose(eqx.nn.RNN(GRU_CELL, unroll=unroll)(xs), eqx.nn.RNN(GRU_CELL, unroll=1)(xs), rtol=1e-5)


class Sum(eqx.Module):
    """Adds up its inputs, and noise."""

    def __call__(self, input, hidden, *, key=None):
        noise = 0.0 if key is None else jax.random.normal(key)
        return {"sum": hidden["sum"] + input + noise}


def test_a_cell_may_be_anything_that_can_be_called():
    outputs, last = eqx.nn.RNN(Sum(), return_carry=True)(jnp.arange(4.0), {"sum": jnp.array(0.0)})
    assert outputs.tolist() == [0, 1, 3, 6]
    assert last == {"sum": 6}


def test_each_step_gets_its_own_part_of_the_key():
    outputs = eqx.nn.RNN(Sum())(jnp.zeros(4), {"sum": jnp.array(0.0)}, key=key)
    noise = jnp.stack([jax.random.normal(k) for k in jax.random.split(key, 4)])
    np.testing.assert_allclose(outputs, jnp.cumsum(noise), rtol=1e-5)


def test_a_hidden_state_of_unknown_form_is_required():
    with pytest.raises(ValueError, match="`hidden` of `RNN` is needed for a cell of type `Sum`"):
        eqx.nn.RNN(Sum())(jnp.arange(4.0))


def test_a_cell_that_changes_the_form_of_its_hidden_state_is_an_error():
    def cell(x, hidden, *, key=None):
        return hidden, x

    with pytest.raises(TypeError, match="structure"):
        eqx.nn.RNN(cell)(jnp.arange(4.0), jnp.array(0.0))


def test_the_hidden_state_has_the_dtype_that_promotion_gives():
    rnn = eqx.nn.RNN(eqx.nn.LSTMCell(3, 2, dtype="bfloat16", key=key), return_carry=True)
    half = rnn(xs.astype("bfloat16"))
    mixed = rnn(xs)
    integers = rnn(jnp.ones((5, 3), int), [jnp.zeros(2, int), jnp.zeros(2, int)])
    assert {x.dtype for x in jax.tree.leaves((half, integers))} == {jnp.dtype("bfloat16")}
    assert {x.dtype for x in jax.tree.leaves(mixed)} == {jnp.dtype("float32")}


def test_there_may_be_no_elements():
    outputs, last = eqx.nn.RNN(GRU_CELL, return_carry=True)(jnp.ones((0, 3)), hidden)
    assert outputs.shape == (0, 2)
    assert jnp.array_equal(last, hidden)


@pytest.mark.parametrize("unroll", [0, -1, 1.5])
def test_a_bad_unroll_is_an_error(unroll):
    with pytest.raises(ValueError, match="`unroll` must be a"):
        eqx.nn.RNN(GRU_CELL, unroll=unroll)


def test_wrong_inputs_are_errors_that_name_them():
    rnn = eqx.nn.RNN(GRU_CELL)
    with pytest.raises(ValueError, match=r"`xs` of `RNN` must have shape \(any, 3\), found shape \(5, 2\)"):
        rnn(jnp.ones((5, 2)))
    with pytest.raises(ValueError, match=r"`xs`.*jax\.vmap"):
        rnn(jnp.ones((7, 5, 3)))
    with pytest.raises(ValueError, match=r"`hidden` of `GRUCell` must have shape \(2,\)"):
        rnn(xs, jnp.ones(3))
    with pytest.raises(ValueError, match=r"`length` of `RNN` must have shape \(\)"):
        rnn(xs, length=jnp.array([1, 2]))
    with pytest.raises(TypeError, match="`length` of `RNN` must be an integer"):
        rnn(xs, length=2.0)


def test_the_options_are_static():
    rnn = eqx.nn.RNN(GRU_CELL, reverse=True, unroll=2)
    static = {field.name: getattr(rnn, field.name) for field in dataclasses.fields(rnn) if field.metadata.get("static")}
    assert static == {"reverse": True, "unroll": 2, "return_carry": False}
    assert jax.tree.leaves(rnn) == jax.tree.leaves(GRU_CELL)
