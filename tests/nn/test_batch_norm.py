"""Normalisation over a batch."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.nn.recorded import cases, tolerance

RECORDED = cases("batch_norm")
MODES = ["ema", "batch"]
random = np.random.default_rng(0)


def make(size, axis_name: Any = "batch", mode: Any = "batch", **options) -> Any:
    return eqx.nn.make_with_state(eqx.nn.BatchNorm)(size, axis_name, mode=mode, **options)


def apply(norm, xs, state):
    return jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))(xs, state)


train = eqx.filter_jit(apply)


def batches(*shape, dtype: Any = "float32", count=3):
    return [jnp.asarray(3 + 2 * random.normal(size=shape), dtype) for _ in range(count)]


def statistics(xs):
    axes = (0, *range(2, xs.ndim))
    return np.mean(xs, axes), np.var(xs, axes)


def normalised(xs, mean, variance, eps=1e-5):
    shape = (-1, *(1,) * (xs.ndim - 2))
    return (xs - np.reshape(mean, shape)) / np.sqrt(np.reshape(variance, shape) + eps)


def running(norm, state):
    """What the layer normalises by at inference time, found out by calling it."""
    size = norm.input_size
    norm = eqx.tree_at(lambda norm: norm.inference, norm, True)
    at_zero, at_one = norm(jnp.zeros(size), state)[0], norm(jnp.ones(size), state)[0]
    scale = at_one - at_zero
    return -at_zero / scale, 1 / scale**2 - norm.eps


# Against PyTorch.


@pytest.mark.parametrize("case", RECORDED)
def test_batch_mode_computes_what_pytorch_does(case):
    with jax.enable_x64(case.endswith("float64")):
        torch = {name: jnp.asarray(array) for name, array in RECORDED[case].items()}
        norm, state = make(3, momentum=float(torch["momentum"]), channelwise_affine="weight" in torch)
        if "weight" in torch:
            norm = eqx.tree_at(lambda norm: (norm.weight, norm.bias), norm, (torch["weight"], torch["bias"]))
        for xs, ys in zip(torch["xs"], torch["ys"], strict=True):
            found, state = apply(norm, xs, state)
            assert found.dtype == ys.dtype
            np.testing.assert_allclose(found, ys, **tolerance(ys))
        hidden_mean, _ = state.get(norm.batch_state_index)
        np.testing.assert_allclose(hidden_mean, torch["running_mean"], **tolerance(hidden_mean))

        # With PyTorch's own (unbiased) variance, and no steps of ours.
        _, state = make(3, momentum=float(torch["momentum"]))
        state = state.set(norm.batch_state_index, (torch["running_mean"], torch["running_var"]))
        y, _ = apply(eqx.nn.inference_mode(norm), torch["xs"][0], state)
        np.testing.assert_allclose(y, torch["y_eval"], **tolerance(y))


# Construction.


@pytest.mark.parametrize("mode", MODES)
def test_parameters_and_running_averages_start_with_zeros_and_ones(mode):
    norm, state = make(2, mode=mode)
    assert jnp.array_equal(norm.weight, jnp.ones(2))
    assert jnp.array_equal(norm.bias, jnp.zeros(2))
    is_ema = mode == "ema"
    used = [norm.ema_first_time_index, norm.ema_state_index]
    unused = [norm.batch_counter, norm.batch_state_index]
    if not is_ema:
        used, unused = unused, used
    assert unused == [None, None]
    assert jnp.array_equal(state.get(used[0]), jnp.array(is_ema) if is_ema else jnp.zeros((), int))
    mean, variance = state.get(used[1])
    assert jnp.array_equal(mean, jnp.zeros(2))
    assert jnp.array_equal(variance, jnp.ones(2))


def test_without_a_mode_there_is_a_warning_that_names_the_modes_and_the_users_line():
    with pytest.warns(UserWarning, match=r"mode=\"batch\".*mode=\"ema\"") as record:
        norm = eqx.nn.BatchNorm(2, "batch")
    assert norm.mode == "ema"
    assert record[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        eqx.nn.BatchNorm(2, "batch", mode="ema")


def test_bad_options_are_errors_that_name_them():
    mode: Any = "emma"
    with pytest.raises(ValueError, match=r"`mode`.*emma"):
        eqx.nn.BatchNorm(2, "batch", mode=mode)
    with pytest.raises(ValueError, match=r"`input_size`.*-2"):
        eqx.nn.BatchNorm(-2, "batch", mode="ema")
    with pytest.raises(ValueError, match=r"`dtype`.*int32"):
        eqx.nn.BatchNorm(2, "batch", dtype="int32", mode="ema")


def test_the_flag_is_a_leaf_with_two_names():
    norm, _ = make(2, deterministic=True)
    assert norm.inference is norm.deterministic is True
    assert norm == eqx.tree_at(lambda norm: norm.deterministic, make(2)[0], True)


@pytest.mark.parametrize("mode", MODES)
def test_without_parameters_the_output_is_standardised(mode):
    norm, state = make(2, mode=mode, channelwise_affine=False)
    assert norm.weight is norm.bias is None
    (xs,) = batches(50, 2, count=1)
    ys, _ = train(norm, xs, state)
    np.testing.assert_allclose(np.mean(ys, 0), [0, 0], atol=1e-5)
    np.testing.assert_allclose(np.var(ys, 0), [1, 1], rtol=1e-4)


# Training and inference in each mode.


@pytest.mark.parametrize("lengths", [(), (3,), (2, 3)])
def test_batch_mode_normalises_by_the_batch_and_averages_without_the_start(lengths):
    norm, state = make(2, momentum=0.9)
    mean, weight = np.zeros((2, 2)), 0.0
    for xs in batches(5, 2, *lengths):
        batch = np.stack(statistics(xs))
        mean, weight = 0.9 * mean + 0.1 * batch, 0.9 * weight + 0.1
        ys, state = train(norm, xs, state)
        np.testing.assert_allclose(ys, normalised(xs, *batch), rtol=1e-4, atol=1e-5)
        if not lengths:
            found_mean, found_variance = running(norm, state)
            np.testing.assert_allclose(found_mean, mean[0] / weight, rtol=1e-4)
            np.testing.assert_allclose(found_variance, mean[1] / weight, rtol=1e-3)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.99])
def test_after_one_step_in_batch_mode_inference_uses_the_statistics_of_that_batch(momentum):
    norm, state = make(2, momentum=momentum)
    (xs,) = batches(5, 2, count=1)
    _, state = train(norm, xs, state)
    ys, _ = apply(eqx.nn.inference_mode(norm), xs, state)
    np.testing.assert_allclose(ys, normalised(xs, *statistics(xs)), rtol=1e-3, atol=1e-4)


def test_after_very_many_steps_in_batch_mode_nothing_is_subtracted():
    norm, state = make(2)
    state = state.set(norm.batch_state_index, (jnp.array([1.0, 2.0]), jnp.array([4.0, 9.0])))
    state = state.set(norm.batch_counter, jnp.array(1_000_000))
    mean, variance = running(norm, state)
    np.testing.assert_allclose(mean, [1, 2], rtol=1e-5)
    np.testing.assert_allclose(variance, [4, 9], rtol=1e-5)


def test_with_momentum_one_the_running_averages_stay_what_they_were():
    norm, state = make(2, momentum=1.0)
    (xs,) = batches(5, 2, count=1)
    _, state = train(norm, xs, state)
    mean, variance = running(norm, state)
    np.testing.assert_allclose(mean, [0, 0], atol=1e-6)
    np.testing.assert_allclose(variance, [1, 1], rtol=1e-5)


def test_ema_mode_normalises_by_running_averages_which_start_with_the_first_batch():
    norm, state = make(2, mode="ema", momentum=0.9)
    averages = None
    for xs in batches(5, 2, 3):
        batch = np.stack(statistics(xs))
        averages = batch if averages is None else 0.9 * averages + 0.1 * batch
        ys, state = train(norm, xs, state)
        np.testing.assert_allclose(ys, normalised(xs, *averages), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(np.stack(state.get(norm.ema_state_index)), averages, rtol=1e-5)
        assert not state.get(norm.ema_first_time_index)
    found_mean, found_variance = running(norm, state)
    assert averages is not None
    np.testing.assert_allclose(found_mean, averages[0], rtol=1e-4)
    np.testing.assert_allclose(found_variance, averages[1], rtol=1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_before_any_training_inference_changes_nothing(mode):
    norm, state = make(2, mode=mode, eps=0.0)
    x = jnp.array([3.0, -4.0])
    y, same = eqx.nn.inference_mode(norm)(x, state)
    np.testing.assert_allclose(y, x, rtol=1e-6)
    assert same is state


@pytest.mark.parametrize("mode", MODES)
def test_the_call_can_overrule_the_flag_by_two_names(mode):
    norm, state = make(2, mode=mode)
    x = jnp.ones(2)
    assert norm(x, state, inference=True)[1] is state
    assert norm(x, state, deterministic=True)[1] is state
    with pytest.raises(ValueError, match=r"`inference=True` and `deterministic=False`"):
        norm(x, state, inference=True, deterministic=False)
    with pytest.raises(NameError):
        eqx.nn.inference_mode(norm)(x, state, inference=False)


def test_weight_and_bias_scale_and_shift_each_channel():
    norm, state = make(2, eps=0.0)
    parameters = (jnp.array([2.0, 3.0]), jnp.array([10.0, 20.0]))
    norm = eqx.tree_at(lambda norm: (norm.weight, norm.bias), norm, parameters)
    y, _ = norm(jnp.array([[1.0, 0], [0, 1]]), state, inference=True)
    np.testing.assert_allclose(y, [[12, 10], [20, 23]], rtol=1e-6)


# Axes.


@pytest.mark.parametrize("mode", MODES)
def test_training_without_the_axis_is_an_error_that_says_what_to_do(mode):
    norm, state = make(2, mode=mode)
    with pytest.raises(NameError, match="batch") as info:
        norm(jnp.ones(2), state)
    assert "axis_name" in "".join(info.value.__notes__)
    assert "inference_mode" in "".join(info.value.__notes__)


@pytest.mark.parametrize("names", [("outer", "inner"), ["outer", "inner"]])
def test_statistics_can_be_taken_over_several_axes(names):
    norm, state = make(2, axis_name=names)
    (xs,) = batches(3, 4, 2, count=1)
    inner = jax.vmap(norm, axis_name="inner", in_axes=(0, None), out_axes=(0, None))
    ys, _ = jax.vmap(inner, axis_name="outer", in_axes=(0, None), out_axes=(0, None))(xs, state)
    flat = xs.reshape(12, 2)
    np.testing.assert_allclose(ys.reshape(12, 2), normalised(flat, *statistics(flat)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [(), None])
def test_without_a_name_statistics_are_those_of_one_example(name):
    norm, state = make(2, axis_name=name)
    (x,) = batches(2, 7, count=1)
    y, _ = norm(x, state)
    np.testing.assert_allclose(y, normalised(x[None], *statistics(x[None]))[0], rtol=1e-4, atol=1e-5)


def test_an_outer_axis_of_another_name_makes_a_state_for_each_index():
    norm, state = make(2)
    (xs,) = batches(3, 5, 2, count=1)
    _, states = jax.vmap(apply, in_axes=(None, 0, None))(norm, xs, state)
    for i in range(3):
        _, one = train(norm, xs[i], make(2)[1])
        np.testing.assert_allclose(
            states.get(norm.batch_state_index)[0][i], one.get(norm.batch_state_index)[0], rtol=1e-5
        )


@pytest.mark.parametrize("shape", [(3,), (), (1, 2)])
def test_another_number_of_channels_is_an_error(shape):
    norm, state = make(2, inference=True)
    with pytest.raises(ValueError, match=r"`x` of `BatchNorm`.*\(2, \.\.\.\)") as info:
        norm(jnp.ones(shape), state)
    assert str(shape) in str(info.value)


# Dtypes.


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize(
    ("of_x", "of_averages", "of_result"),
    [
        ("float32", "float32", "float32"),
        ("bfloat16", "float32", "float32"),
        ("float32", "bfloat16", "float32"),
        ("bfloat16", "bfloat16", "bfloat16"),
        ("float16", "float16", "float16"),
        ("float16", "bfloat16", "float32"),
        ("int32", "float32", "float32"),
        ("int8", "float16", "float16"),
        ("complex64", "complex64", "complex64"),
        ("float32", "complex64", "complex64"),
    ],
)
def test_all_dtypes_of_input_and_averages_go_together_even_where_promotion_is_strict(
    of_x, of_averages, of_result, inference, mode
):
    norm, state = make(2, mode=mode, dtype=of_averages, inference=inference)
    assert norm.weight.dtype == of_averages
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(state)]
    xs = jnp.arange(12).reshape(3, 2, 2).astype(of_x)
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        ys, state = apply(norm, xs, state)
    assert ys.dtype == of_result
    assert [leaf.dtype for leaf in jax.tree.leaves(state)] == dtypes


def test_float64_averages_take_single_precision():
    with jax.enable_x64(True):
        norm, state = make(2)
        ys, state = apply(norm, jnp.ones((3, 2), "float32"), state)
        assert ys.dtype == state.get(norm.batch_state_index)[0].dtype == "float64"


def test_complex_statistics_are_a_complex_mean_and_the_mean_squared_modulus():
    norm, state = make(2, dtype="complex64")
    xs = random.normal(size=(6, 2)) + 1j * random.normal(size=(6, 2))
    ys, _ = train(norm, jnp.asarray(xs, "complex64"), state)
    np.testing.assert_allclose(ys, normalised(xs, *statistics(xs)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("inference", [False, True])
def test_a_complex_input_needs_complex_averages(inference):
    norm, state = make(2, inference=inference)
    with pytest.raises(ValueError, match=r"`x` of `BatchNorm` is complex.*dtype='complex64'"):
        apply(norm, jnp.ones((3, 2), "complex64"), state)


def test_half_precision_does_not_overflow():
    norm, state = make(1, dtype="float16", channelwise_affine=False, eps=0.0)
    ys, _ = train(norm, jnp.array([[200.0], [-200.0]], "float16"), state)
    assert jnp.array_equal(ys, jnp.array([[1.0], [-1.0]], "float16"))


# Derivatives and compilation.


@pytest.mark.parametrize("mode", MODES)
def test_gradients_flow_through_the_statistics_of_the_batch(mode):
    with jax.enable_x64(True):
        norm, state = make(2, mode=mode, momentum=0.5)
        first, xs = batches(4, 2, dtype="float64", count=2)
        _, state = train(norm, first, state)
        old = np.stack(statistics(first))

        def by_hand(xs):
            batch = jnp.stack([jnp.mean(xs, 0), jnp.var(xs, 0)])
            mean, variance = 0.5 * old + 0.5 * batch if mode == "ema" else batch
            return jnp.sum(jnp.sin((xs - mean) / jnp.sqrt(variance + norm.eps)))

        def loss(xs, state):
            return jnp.sum(jnp.sin(train(norm, xs, state)[0]))

        np.testing.assert_allclose(loss(xs, state), by_hand(xs), rtol=1e-9)
        np.testing.assert_allclose(jax.grad(loss)(xs, state), jax.grad(by_hand)(xs), rtol=1e-6, atol=1e-9)
        of_state = jax.grad(loss, 1, allow_int=True)(xs, state)
        assert not any(jnp.any(leaf) for leaf in jax.tree.leaves(of_state) if leaf.dtype == "float64")


@pytest.mark.parametrize("mode", MODES)
def test_gradients_are_finite_where_the_batch_is_constant(mode):
    norm, state = make(2, mode=mode)
    gradient = jax.grad(lambda xs: train(norm, xs, state)[0].sum())(jnp.ones((3, 2)))
    assert jnp.isfinite(gradient).all()


@pytest.mark.parametrize("mode", MODES)
def test_steps_compile_once_alone_and_in_a_scan(mode):
    traces = 0

    @eqx.filter_jit
    def step(norm, xs, state):
        nonlocal traces
        traces += 1
        return apply(norm, xs, state)

    (xs,) = batches(3, 2, count=1)
    for _ in range(2):
        norm, state = make(2, mode=mode)
        for _ in range(3):
            _, state = step(norm, xs, state)
    assert traces == 1
    norm, scanned = make(2, mode=mode)
    scanned, _ = jax.lax.scan(lambda state, xs: apply(norm, xs, state)[::-1], scanned, jnp.stack([xs] * 3))
    for a, b in zip(jax.tree.leaves(scanned), jax.tree.leaves(state), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_it_works_in_a_sequential():
    def make_model(key):
        return eqx.nn.Sequential([eqx.nn.Linear(3, 2, key=key), eqx.nn.BatchNorm(2, "batch", mode="batch")])

    model, state = eqx.nn.make_with_state(make_model)(jax.random.key(0))
    (xs,) = batches(5, 3, count=1)
    ys, _ = train(model, xs, state)
    hidden = jax.vmap(model[0])(xs)
    np.testing.assert_allclose(ys, normalised(hidden, *statistics(hidden)), rtol=1e-3, atol=1e-4)
