"""Equal layers, one after the other, stored as one and run by one loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

key = jax.random.key(0)
x = jnp.array([1.0, -2.0, 0.5, 3.0])


def make_layer(key):
    layers = [eqx.nn.LayerNorm(4), eqx.nn.Linear(4, 4, key=key), eqx.nn.Dropout(0.5), eqx.nn.Lambda(jnp.tanh)]
    return eqx.nn.Sequential(layers)


STACK = eqx.nn.StackedLayers(make_layer, 3, key=key)


def test_each_layer_is_made_with_its_own_part_of_the_key():
    expected = [make_layer(part) for part in jax.random.split(key, 3)]
    for layer, other in zip(STACK, expected, strict=True):
        assert eqx.tree_equal(layer, other)


def test_it_computes_what_a_loop_over_the_layers_does():
    expected = x
    for layer, part in zip(STACK, jax.random.split(key, 3), strict=True):
        expected = layer(expected, key=part)
    np.testing.assert_allclose(STACK(x, key=key), expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{"remat": True}, {"unroll": 2}, {"unroll": True}], ids=str)
def test_memory_and_time_to_compile_can_be_traded_without_changing_the_results(options):
    stack = eqx.nn.StackedLayers(make_layer, 3, **options, key=key)

    @eqx.filter_jit
    @eqx.filter_value_and_grad
    def loss(layers, stack):
        return jnp.sum(eqx.tree_at(lambda s: s.layers, stack, layers)(x, key=key) ** 2)

    expected, expected_gradient = loss(STACK.layers, STACK)
    found, gradient = loss(stack.layers, stack)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), gradient, expected_gradient)


def test_with_remat_only_the_inputs_of_the_layers_are_stored():
    def residuals(remat):
        stack = eqx.nn.StackedLayers(lambda key: eqx.nn.MLP(4, 4, 32, 2, key=key), 3, remat=remat, key=key)
        of_cotangent = jax.eval_shape(lambda x: jax.vjp(stack, x)[1], x)
        return sum(leaf.size for leaf in jax.tree.leaves(of_cotangent))

    parameters = 3 * ((4 + 1) * 32 + (32 + 1) * 32 + (32 + 1) * 4)
    assert residuals(True) <= parameters + 3 * 4
    assert residuals(False) > parameters + 3 * 4


def test_the_layer_is_traced_once():
    calls = []

    class Counting(eqx.Module):
        def __call__(self, x, *, key=None):
            calls.append(1)
            return x

    jax.make_jaxpr(eqx.nn.StackedLayers(lambda key: Counting(), 50, key=key))(x)
    assert len(calls) < 5


def test_there_may_be_no_layers():
    empty = eqx.nn.StackedLayers(make_layer, 0, key=key)
    assert jnp.array_equal(empty(x, key=key), x)
    assert list(empty) == []
    assert empty.layers.layers[1].weight.shape == (0, 4, 4)


def test_an_index_gives_a_layer_and_a_slice_a_stack():
    layers = list(STACK)
    assert len(STACK) == len(layers) == 3
    assert eqx.tree_equal(STACK[1], layers[1])
    assert eqx.tree_equal(STACK[-1], layers[2])
    assert eqx.tree_equal(STACK[np.int64(2)], layers[2])
    part = STACK[1:]
    assert type(part) is eqx.nn.StackedLayers
    assert eqx.tree_equal(list(part), layers[1:])
    assert eqx.tree_equal(list(STACK[::-1]), layers[::-1])
    assert part(x, key=key).shape == (4,)
    assert len(STACK) == 3


def test_an_index_without_a_layer_is_an_error():
    for i in 3, -4:
        with pytest.raises(IndexError, match=f"There are 3 layers: there is none with index {i}"):
            STACK[i]
    with pytest.raises(TypeError, match=r"indexed with an integer or a slice, found .*'first'"):
        STACK["first"]


def test_layers_may_have_inputs_and_outputs_of_their_own():
    scales, outputs = jnp.array([1.0, 0.5, 2.0]), []

    def step(layer, x, row):
        x = row["scale"] * layer(x, inference=True)
        return x, {"norm": jnp.linalg.norm(x)}

    stack = eqx.nn.StackedLayers(lambda key: Scaled(eqx.nn.Linear(4, 4, key=key)), 3, key=key)
    found, norms = stack.scan(step, x, {"scale": scales})
    expected = x
    for layer, scale in zip(stack, scales, strict=True):
        expected, output = step(layer, expected, {"scale": scale})
        outputs.append(output["norm"])
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(norms["norm"], jnp.stack(outputs), rtol=1e-5)


class Scaled(eqx.Module):
    linear: eqx.nn.Linear

    def __call__(self, x, *, inference):
        return self.linear(x) * (2.0 if inference else 1.0)


def test_a_scan_without_inputs_gives_none_to_each_step():
    seen = []
    _, outputs = STACK.scan(lambda layer, x, row: (x, seen.append(row)), x)
    assert outputs is None
    assert set(seen) == {None}


def test_inputs_that_are_not_one_for_each_layer_are_an_error():
    with pytest.raises(ValueError, match="3"):
        STACK.scan(lambda layer, x, row: (x, None), x, jnp.ones(4))


def test_layers_that_change_the_shape_are_an_error():
    stack = eqx.nn.StackedLayers(lambda key: eqx.nn.Linear(4, 2, key=key), 3, key=key)
    with pytest.raises(TypeError, match="shape"):
        stack(x)


class Counter(eqx.nn.StatefulLayer):
    """Adds how often it has been called."""

    calls: eqx.nn.StateIndex

    def __init__(self, init):
        self.calls = eqx.nn.StateIndex(init)

    def __call__(self, x, state, *, key=None):
        calls = state.get(self.calls)
        return x + calls, state.set(self.calls, calls + 1)


@pytest.mark.parametrize("init", [2, jnp.array(2)], ids=["number", "array"])
def test_stateful_layers_have_a_state_each(init):
    stack, state = eqx.nn.make_with_state(eqx.nn.StackedLayers)(lambda key: Counter(init), 3, key=key)
    assert stack.is_stateful()
    y, state = stack(jnp.array(0), state)
    assert y == 2 + 2 + 2
    y, state = eqx.filter_jit(stack)(jnp.array(0), state)
    assert y == 3 + 3 + 3
    assert state.get(stack.layers.calls).tolist() == [4, 4, 4]


def test_the_values_of_other_layers_are_left_alone():
    def make():
        stack = eqx.nn.StackedLayers(lambda key: Counter(jnp.array(0)), 2, key=key)
        return eqx.nn.Sequential([Counter(jnp.array(5)), stack])

    model, state = eqx.nn.make_with_state(make)()
    y, state = model(jnp.array(0), state)
    assert y == 5
    assert state.get(model[0].calls) == 6
    assert state.get(model[1].layers.calls).tolist() == [1, 1]


def test_batch_normalisation_learns_its_statistics_in_each_layer():
    def make(key):
        return eqx.nn.Sequential([eqx.nn.Linear(4, 4, key=key), eqx.nn.BatchNorm(4, "batch", mode="batch")])

    xs = jax.random.normal(key, (6, 4))
    stack, state = eqx.nn.make_with_state(eqx.nn.StackedLayers)(make, 2, key=key)
    batched = {"axis_name": "batch", "in_axes": (0, None), "out_axes": (0, None)}
    ys, state = jax.vmap(stack, **batched)(xs, state)
    expected = xs
    for part in jax.random.split(key, 2):
        layer, layer_state = eqx.nn.make_with_state(make)(part)
        expected, _ = jax.vmap(layer, **batched)(expected, layer_state)
    np.testing.assert_allclose(ys, expected, rtol=1e-4, atol=1e-5)


def test_stateful_layers_need_a_state():
    stack, _ = eqx.nn.make_with_state(eqx.nn.StackedLayers)(lambda key: Counter(0), 3, key=key)
    with pytest.raises(ValueError, match=r"`state` of `StackedLayers` must be a `State`.*`Counter`.*found none"):
        stack(jnp.array(0))
    with pytest.raises(ValueError, match=r"must be a `State`.*found .* 3"):
        stack(jnp.array(0), 3)


def test_a_state_passes_through_layers_that_have_none():
    assert not STACK.is_stateful()
    y, state = STACK(x, "state", key=key)
    assert state == "state"
    assert jnp.array_equal(y, STACK(x, key=key))


@pytest.mark.parametrize("n", [-1, 2.5])
def test_a_bad_number_of_layers_is_an_error(n):
    with pytest.raises(ValueError, match="`n` must be a non-negative integer"):
        eqx.nn.StackedLayers(make_layer, n, key=key)


def test_a_bad_unroll_is_an_error():
    with pytest.raises(ValueError, match="`unroll`"):
        eqx.nn.StackedLayers(make_layer, 2, unroll=0, key=key)


def test_it_has_another_name():
    assert eqx.nn.Repeated is eqx.nn.StackedLayers
