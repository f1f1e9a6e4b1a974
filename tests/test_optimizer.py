import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import equinox as eqx
from equinox import Optimizer


class Layer(eqx.Module):
    weight: Any
    bias: Any

    def __call__(self, x):
        return self.weight @ x + self.bias


class Model(eqx.Module):
    """Has what models have: something frozen, a function, a number, an array of integers, no bias."""

    first: Layer
    last: Layer
    activation: Callable[[jax.Array], jax.Array]
    scale: float
    steps: jax.Array
    name: str = eqx.field(static=True, default="model")

    def __call__(self, x):
        return self.scale * self.last(self.activation(self.first(x)))


def new_model():
    key1, key2 = jax.random.split(jax.random.key(0))
    first = Layer(jax.random.normal(key1, (3, 2)), jnp.zeros(3))
    return Model(first, Layer(jax.random.normal(key2, (1, 3)), jnp.zeros(1)), jnp.tanh, 0.5, jnp.array(7))


X = jnp.linspace(-1.0, 1.0, 8).reshape(4, 2)
Y = jnp.sum(X, 1, keepdims=True)


def loss(model, x=X, y=Y):
    return jnp.mean((jax.vmap(model)(x) - y) ** 2)


def is_last(model):
    return model.last


def weights(tree):
    """For each array, whether it is a matrix."""
    return jax.tree.map(lambda array: array.ndim == 2, tree)


MASK = weights(eqx.filter(new_model(), eqx.is_inexact_array))
LABELS = jax.tree.map(lambda mask: "adam" if mask else "sgd", MASK)
GROUPS: dict[Any, Any] = {"adam": optax.adam(0.1), "sgd": optax.sgd(0.1)}

TRANSFORMATIONS: dict[str, Any] = {
    "adamw": optax.adamw(0.1, weight_decay=0.5),
    "a mask": optax.adamw(0.1, weight_decay=0.5, mask=MASK),
    "a function that gives a mask": optax.adamw(0.1, weight_decay=0.5, mask=weights),
    "a function that gives labels": optax.multi_transform(GROUPS, lambda _: LABELS),
    "MultiSteps": optax.MultiSteps(optax.chain(optax.scale_by_lbfgs(), optax.scale(-0.1)), 2),
    "L-BFGS": optax.lbfgs(linesearch=optax.scale_by_backtracking_linesearch(5)),
    "schedules as hyperparameters": optax.inject_hyperparams(optax.adam)(optax.cosine_decay_schedule(0.1, 10)),
    "clipping and a schedule": optax.chain(
        optax.clip_by_global_norm(0.1), optax.sgd(optax.linear_schedule(0.1, 0.0, 10))
    ),
    "noise": optax.noisy_sgd(0.1, key=jax.random.key(1)),
    "averaging": optax.contrib.schedule_free_sgd(0.1),
    "reduction on plateaus": optax.chain(optax.sgd(0.1), optax.contrib.reduce_on_plateau()),
}


def is_stable(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and not getattr(leaf, "weak_type", False)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_a_training_step_is_compiled_once_and_leaves_what_is_frozen_alone(name: str) -> None:
    traces: list[None] = []

    @eqx.filter_jit(donate="all")
    def step(model, optimizer):
        traces.append(None)
        value, gradient = eqx.filter_value_and_grad(loss)(model)
        return optimizer.update(gradient, model, value=value, value_fn=loss)

    before, model = new_model(), new_model()
    optimizer = Optimizer(TRANSFORMATIONS[name], model, filter=eqx.trainable(model, is_last))
    assert all(map(is_stable, jax.tree.leaves(optimizer)))
    for _ in range(3):
        model, optimizer = step(model, optimizer)

    assert len(traces) == 1
    assert all(map(is_stable, jax.tree.leaves(optimizer)))
    assert loss(model) < loss(before)
    assert eqx.tree_equal(model.first, before.first, typematch=True) is not False
    assert np.asarray(model.first.weight).tobytes() == np.asarray(before.first.weight).tobytes()
    assert not eqx.tree_equal(model.last, before.last)
    assert (model.activation, model.scale, int(model.steps)) == (jnp.tanh, 0.5, 7)
    # The arrays of the transformation itself are not given up.
    Optimizer(TRANSFORMATIONS[name], before)


@pytest.mark.parametrize("name", ["adamw", "a mask", "schedules as hyperparameters"])
def test_the_steps_are_those_of_optax(name: str) -> None:
    transformation = TRANSFORMATIONS[name]
    model = new_model()
    params, static = eqx.partition(model, eqx.is_inexact_array)
    optimizer, state = Optimizer(transformation, model), transformation.init(params)
    for _ in range(2):
        gradient = eqx.filter_grad(loss)(model)
        model, optimizer = optimizer.update(gradient, model)
        updates, state = transformation.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    assert eqx.tree_equal(model, eqx.combine(params, static))
    assert eqx.tree_equal(optimizer.state, state)


@pytest.mark.parametrize("name", ["L-BFGS", "MultiSteps"])
def test_an_optimizer_is_carried_through_a_loop_of_jax(name: str) -> None:
    model = new_model()
    arrays, static = eqx.partition(model, eqx.is_array)

    def body(carry, _):
        arrays, optimizer = carry
        model = eqx.combine(arrays, static)
        value, gradient = eqx.filter_value_and_grad(loss)(model)
        model, optimizer = optimizer.update(gradient, model, value=value, value_fn=loss)
        return (eqx.filter(model, eqx.is_array), optimizer), value

    _, values = jax.lax.scan(body, (arrays, Optimizer(TRANSFORMATIONS[name], model)), None, length=4)
    assert values[-1] < values[0]


def test_an_optimizer_is_saved_and_loaded(tmp_path: Path) -> None:
    model = new_model()
    fresh = Optimizer(TRANSFORMATIONS["schedules as hyperparameters"], model)
    _, optimizer = fresh.update(eqx.filter_grad(loss)(model), model)
    eqx.tree_serialise_leaves(tmp_path / "optimizer.eqx", optimizer)
    loaded = eqx.tree_deserialise_leaves(tmp_path / "optimizer.eqx", fresh)
    assert eqx.tree_equal(loaded, optimizer)
    assert not eqx.tree_equal(loaded, fresh)


def test_an_optimizer_can_be_made_inside_of_a_compiled_function() -> None:
    model = new_model()
    optimizer = eqx.filter_jit(Optimizer)(TRANSFORMATIONS["adamw"], model)
    assert eqx.tree_equal(optimizer, Optimizer(TRANSFORMATIONS["adamw"], model))


def test_its_leaves_are_the_arrays_of_the_state() -> None:
    model = new_model()
    optimizer = Optimizer(TRANSFORMATIONS["adamw"], model, eqx.trainable(model, is_last))
    assert eqx.tree_equal(jax.tree.leaves(optimizer), jax.tree.leaves(optimizer.state))
    assert [leaf.shape for leaf in jax.tree.leaves(optimizer)] == [(), (1, 3), (1,), (1, 3), (1,)]
    assert optimizer.state[0].mu.first.weight is None


def test_it_shows_its_state() -> None:
    text = repr(Optimizer(optax.sgd(0.1, momentum=0.9), {"x": jnp.zeros(2)}))
    assert "trace={'x': f32[2]}" in text
    assert "function" not in text


def test_a_hyperparameter_in_the_state_can_be_changed() -> None:
    params = {"x": jnp.zeros(())}
    optimizer = Optimizer(optax.inject_hyperparams(optax.sgd)(1.0), params)
    optimizer = eqx.tree_at(
        lambda o: o.state.hyperparams["learning_rate"], optimizer, replace_fn=lambda rate: 0.25 * rate
    )
    params, optimizer = optimizer.update({"x": jnp.ones(())}, params)
    assert params["x"] == -0.25


FILTERS: dict[str, Any] = {
    "a function": eqx.is_inexact_array,
    "a function that selects too much": eqx.is_array_like,
    "one boolean": True,
    "a tree": eqx.trainable(new_model()),
    "the tree without what it leaves out": eqx.filter(eqx.trainable(new_model()), lambda _: True),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_is_whatever_partition_takes_and_only_arrays_with_gradients_are_trained(name: str) -> None:
    model = new_model()
    optimizer = Optimizer(optax.sgd(0.1), model, FILTERS[name])
    assert sum(optimizer._mask) == 4
    after, _ = optimizer.update(eqx.filter_grad(loss)(model), model)
    assert loss(after) < loss(model)
    assert (after.scale, after.steps) == (0.5, 7)


def test_a_filter_of_another_structure_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=r"argument `filter`, .*`\[1\]`.* where `model` has"):
        Optimizer(optax.sgd(0.1), [jnp.ones(2), {"w": jnp.ones(2)}], [True, (True,)])


def test_arrays_of_numpy_are_constants_unless_they_are_selected() -> None:
    params = [np.ones(2, np.float32), jnp.ones(2)]
    gradient = [jnp.ones(2), jnp.ones(2)]
    constant, _ = Optimizer(optax.sgd(1.0), params).update(gradient, params)
    assert constant[0] is params[0]
    trained, _ = Optimizer(optax.sgd(1.0), params, eqx.is_array).update(gradient, params)
    np.testing.assert_array_equal(trained[0], np.zeros(2))


def test_the_gradient_may_cover_more_than_what_is_trained_or_just_that() -> None:
    model = new_model()
    filter = eqx.trainable(model, is_last)
    optimizer = Optimizer(optax.sgd(0.1), model, filter)
    of_all, _ = optimizer.update(eqx.filter_grad(loss)(model), model)
    of_last, _ = optimizer.update(eqx.gradf(loss, filter_tree=filter)(model), model)
    assert eqx.tree_equal(of_all, of_last)


def test_what_is_frozen_does_not_count_in_a_norm() -> None:
    params = {"frozen": jnp.array(3.0), "trained": jnp.array(4.0)}
    optimizer = Optimizer(optax.clip_by_global_norm(1.0), params, {"frozen": False, "trained": True})
    after, _ = optimizer.update(params, params)
    assert after == {"frozen": 3.0, "trained": 5.0}


def test_a_model_keeps_its_dtypes() -> None:
    params = {"half": jnp.ones(2, jnp.bfloat16), "weak": jnp.asarray(1.0)}
    optimizer = Optimizer(optax.sgd(0.5), params)
    after, _ = optimizer.update({"half": jnp.ones(2, jnp.float32), "weak": jnp.float32(1)}, params)
    assert after["half"].dtype == jnp.bfloat16
    assert after["weak"].weak_type


def test_functions_get_a_whole_model_and_the_further_arguments_that_they_take() -> None:
    seen: list[Any] = []

    def value_fn(model, y, *, x):
        seen.append((model.activation, model.name, x.shape, model.first.bias.shape))
        return loss(model, x, y)

    model = new_model()
    optimizer = Optimizer(TRANSFORMATIONS["L-BFGS"], model, eqx.trainable(model, is_last))
    value, gradient = eqx.filter_value_and_grad(loss)(model)
    after, _ = optimizer.update(gradient, model, value=value, value_fn=value_fn, x=X, y=Y)
    assert set(seen) == {(jnp.tanh, "model", (4, 2), (3,))}
    assert loss(after) < value
    # The gradient may be passed on by hand, as Optax wants it.
    by_hand, _ = optimizer.update(gradient, model, value=value, grad=gradient, value_fn=value_fn, x=X, y=Y)
    assert eqx.tree_equal(by_hand, after)


def test_arguments_that_a_transformation_does_not_know_are_ignored() -> None:
    def update(updates, state, params=None):
        return jax.tree.map(jnp.negative, updates), state

    optimizer = Optimizer(optax.GradientTransformation(lambda params: (), update), {"x": jnp.ones(2)})
    after, _ = optimizer.update({"x": jnp.ones(2)}, {"x": jnp.ones(2)}, value=jnp.ones(()), value_fn=loss)
    np.testing.assert_array_equal(after["x"], np.zeros(2))


def test_an_ensemble_has_an_ensemble_of_optimizers() -> None:
    params = {"x": jnp.arange(3.0)}
    transformation = optax.sgd(1.0, momentum=0.5)
    optimizers = jax.vmap(lambda params: Optimizer(transformation, params))(params)
    after, optimizers = jax.vmap(lambda o, params: o.update(params, params))(optimizers, params)
    np.testing.assert_array_equal(after["x"], np.zeros(3))
    np.testing.assert_array_equal(optimizers.state[0].trace["x"], params["x"])


def test_static_settings_of_a_model_may_change_between_steps() -> None:
    model = new_model()
    optimizer = Optimizer(optax.adam(0.1), model)
    renamed = Model(model.first, model.last, model.activation, model.scale, model.steps, "renamed")
    after, _ = optimizer.update(eqx.filter_grad(loss)(renamed), renamed)
    assert after.name == "renamed"


def test_labels_that_are_taken_for_a_function_are_explained() -> None:
    with pytest.raises(TypeError) as raised:
        Optimizer(optax.multi_transform(GROUPS, LABELS), new_model())
    notes = "".join(raised.value.__notes__)
    assert "type `Model` for a function" in notes
    assert "lambda _: mask" in notes


def grads(**replaced: Any) -> Any:
    gradient = eqx.filter_grad(loss)(new_model())
    return eqx.tree_at(lambda g: [getattr(g.last, name) for name in replaced], gradient, list(replaced.values()))


@pytest.mark.parametrize(
    ("gradient", "message"),
    [
        (lambda: grads(weight=None), r"argument `grads`, leaf `\.last\.weight`: found `None`; .*float32\[1,3\]"),
        (lambda: grads(bias=jnp.ones(2)), r"argument `grads`, leaf `\.last\.bias`: found a JAX array \(float32\[2\]\)"),
        (lambda: grads(bias=[jnp.ones(1)]), r"argument `grads`, leaf `\.last\.bias`: found a `list`"),
        (lambda: eqx.tree_at(is_last, grads(), jnp.ones(1)), r"`grads`, leaf `\.last`: .* where `model` has a `Layer`"),
        (lambda: {"x": jnp.ones(2)}, r"argument `grads`: found a `dict`.* where `model` has a `Model`"),
        (lambda: jax.tree.map(lambda _: None, new_model()), r"argument `grads`, leaf `\.first\.weight`: found `None`"),
    ],
)
def test_a_gradient_that_does_not_fit_is_reported_with_its_place(gradient: Callable[[], Any], message: str) -> None:
    model = new_model()
    with pytest.raises(ValueError, match=message):
        Optimizer(optax.sgd(0.1), model).update(gradient(), model)


def test_a_model_of_another_structure_is_reported_with_its_place() -> None:
    model = new_model()
    optimizer = Optimizer(optax.sgd(0.1), model)
    longer = eqx.tree_at(is_last, model, [model.last, model.last])
    with pytest.raises(
        ValueError, match=r"argument `model`, leaf `\.last`: found a `list`.*9 leaves now and had 7 then"
    ):
        optimizer.update(longer, longer)
    frozen = Optimizer(optax.sgd(0.1), model, eqx.trainable(model, lambda m: m.first))
    with pytest.raises(ValueError, match=r"argument `model`: .*8 leaves now and had 7 then"):
        frozen.update(longer, eqx.tree_at(lambda m: m.scale, model, [0.5, 0.5]))


@pytest.mark.parametrize("transformation", [3, optax.adam, optax.sgd(0.1).init])
def test_what_is_no_transformation_is_reported(transformation: Any) -> None:
    with pytest.raises(TypeError, match=r"argument `transformation`: .* has no function `(init|update)`"):
        Optimizer(transformation, new_model())


def test_optax_is_not_imported() -> None:
    program = "import sys, equinox; equinox.Optimizer; print('optax' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
