"""`filter_pmap`: a function mapped over devices."""

import copy
import functools as ft
import inspect
import pickle
import typing
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from tests.four_devices import Checks

check = Checks(__file__)


class Model(eqx.Module):
    weight: typing.Any
    name: str = "name"

    def __call__(self, x):
        return self.weight * x

    @eqx.filter_pmap
    def mapped(self, x):
        """What it does."""
        return self.weight * x

    @eqx.filter_pmap(in_axes={"self": None})
    def shared(self, x):
        return self.weight * x


def same(*args):
    return args


def inputs():
    return jnp.arange(8.0).reshape(4, 2)


def assert_equal(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def assert_one_part_on_each_device(array, axis=0):
    assert len(array.devices()) == array.shape[axis]
    assert {shard.index[axis].stop - shard.index[axis].start for shard in array.addressable_shards} == {1}


# On one device


def test_it_maps_over_the_devices_that_there_are():
    seen = []

    def function(model, n, text):
        seen.append((model.weight.shape, type(n), text))
        return model.weight * n, text

    found = eqx.filter_pmap(function)(Model(jnp.ones((1, 3))), 3, "text")
    assert seen == [((3,), int, "text")]
    assert_equal(found, (jnp.full((1, 3), 3.0), "text"))


def test_more_slices_than_devices_are_an_error():
    with pytest.raises(ValueError, match=r"size 1000, .* devices"):
        eqx.filter_pmap(same)(jnp.ones(1000))


def test_keyword_arguments_are_an_error():
    with pytest.raises(RuntimeError, match=r"keyword arguments cannot be used.*filter_pmap.*`same`.*`a`"):
        eqx.filter_pmap(same)(a=jnp.ones(1))


@pytest.mark.parametrize("option", ["static_broadcasted_argnums", "donate_argnums"])
def test_options_that_filtering_takes_the_place_of_are_rejected(option):
    for arguments in ((), (same,)):
        with pytest.raises(ValueError, match=option):
            eqx.filter_pmap(*arguments, **{option: 0})


@pytest.mark.parametrize("option", ["default", "fn", "args", "kwargs", "out"])
def test_options_of_the_early_days_are_named_when_they_are_rejected(option):
    for arguments in ((), (same,)):
        with pytest.raises(ValueError, match=f"`filter_pmap`.*`{option}`"):
            eqx.filter_pmap(*arguments, **{option: None})


def test_bad_options_are_rejected_at_once():
    for arguments in ((), (same,)):
        with pytest.raises(TypeError, match="unknown"):
            eqx.filter_pmap(*arguments, unknown=1)
        with pytest.raises(ValueError, match="in_axes"):
            eqx.filter_pmap(*arguments, in_axes="0")
        with pytest.raises(ValueError, match=r"donate.*'all-except-first'"):
            eqx.filter_pmap(*arguments, donate="all-except-first")
    with pytest.raises(TypeError, match="int"):
        eqx.filter_pmap(3)


def test_the_old_name_of_donation_is_deprecated():
    with pytest.warns(DeprecationWarning, match="'all'") as record:
        mapped = eqx.filter_pmap(lambda x: x + 1, donate="arrays")
    assert record[0].filename == __file__
    x = jnp.ones((1, 3))
    assert_equal(mapped(x), jnp.full((1, 3), 2.0))
    assert x.is_deleted()


def test_donated_arrays_may_be_overwritten():
    def function(x, y):
        return x + 1, y[0]

    for donate, warns in (("all", 0), ("warn", 1)):
        x, y = jnp.ones((1, 3)), jnp.ones((1, 2, 7))
        with warnings.catch_warnings(record=True) as record:
            warnings.simplefilter("always")
            eqx.filter_pmap(function, donate=donate)(x, y)
        assert x.is_deleted()
        assert not y.is_deleted()
        assert len([warning for warning in record if "donated" in str(warning.message)]) == warns
    kept = jnp.ones((1, 3))
    eqx.filter_pmap(lambda x: x + 1)(kept)
    assert not kept.is_deleted()


def test_static_leaves_that_cannot_be_hashed_are_an_error_that_says_where():
    with pytest.raises(ValueError, match=r"Non-hashable static arguments.*`b`.*\[0\]"):
        eqx.filter_pmap(lambda a, b: a)(jnp.ones(1), [{1}])


def test_programs_are_shared_and_distinguish_static_leaves_by_type():
    traces = []

    def function(x, n):
        traces.append(n)
        return x * 1, n

    for _ in range(2):
        for n in (1, True, 1.0, 0.0, -0.0):
            found = eqx.filter_pmap(function)(jnp.ones(1), n)[1]
            assert (type(found), str(found)) == (type(n), str(n))
    assert list(map(str, traces)) == ["1", "True", "1.0", "0.0", "-0.0"]
    eqx.filter_jit(eqx.filter_pmap(function))(jnp.ones(1), 1)
    assert len(traces) == 5
    eqx.clear_caches()
    eqx.filter_pmap(function)(jnp.ones(1), 1)
    assert len(traces) == 6


def test_the_arrays_of_the_callable_are_inputs():
    traces = []

    class Shift(eqx.Module):
        by: typing.Any

        def __call__(self, x):
            traces.append(self.by)
            return x + self.by

    for by in (1.0, 2.0):
        assert eqx.filter_pmap(Shift(jnp.array(by)))(jnp.zeros(1)) == by
    assert len(traces) == 1
    gradient = jax.grad(lambda by: eqx.filter_pmap(Shift(by))(jnp.zeros(1))[0])(1.0)
    assert gradient == 1


def test_it_compiles_ahead_of_time():
    mapped = eqx.filter_pmap(lambda x, n: (x * n, n))
    compiled = mapped.lower(jax.ShapeDtypeStruct((1, 2), jnp.float32), 3).compile()
    assert_equal(compiled(jnp.ones((1, 2)), 3), (jnp.full((1, 2), 3.0), 3))
    with pytest.raises(TypeError, match=r"`n`.*3.*4"):
        compiled(jnp.ones((1, 2)), 4)
    assert mapped.eval_shape(jnp.ones((1, 2)), 3)[0].shape == (1, 2)
    model = Model(jnp.ones(1))
    assert_equal(model.mapped.lower(jnp.ones(1)).compile()(jnp.ones(1)), jnp.ones(1))


def test_it_can_be_applied_in_every_way():
    x = jnp.ones((1, 3))
    for mapped in (
        eqx.filter_pmap(jnp.sum),
        eqx.filter_pmap()(jnp.sum),
        eqx.filter_pmap(in_axes=0)(jnp.sum),
        ft.partial(eqx.filter_pmap, out_axes=0)(jnp.sum),
    ):
        assert_equal(mapped(x), jnp.array([3.0]))


def test_it_looks_like_the_function_and_binds_like_one():
    model = Model(jnp.ones((1, 3)))
    assert_equal(model.mapped(jnp.ones(1)), jnp.ones((1, 3)))
    assert_equal(Model.mapped(model, jnp.ones(1)), jnp.ones((1, 3)))
    assert_equal(Model(jnp.float32(2.0)).shared(jnp.ones(1)), jnp.array([2.0]))
    assert Model.mapped.__name__ == model.mapped.__name__ == "mapped"
    assert model.mapped.__doc__ == "What it does."
    assert str(inspect.signature(model.mapped)) == "(x)"
    assert list(inspect.signature(Model.mapped).parameters) == ["self", "x"]
    assert inspect.unwrap(eqx.filter_pmap(same)) is same
    assert eqx.filter_pmap(same).__wrapped__ is same
    assert repr(eqx.filter_pmap(model)) == "filter_pmap(Model(weight=f32[1,3]))"


def test_it_is_a_pytree_with_the_leaves_of_the_callable():
    model = Model(jnp.ones(3))
    mapped = eqx.filter_pmap(model, in_axes=(0,), out_axes={"a": 0})
    weight, name = jax.tree.leaves(mapped)
    assert weight is model.weight
    assert name == "name"
    doubled = jax.tree.map(lambda leaf: 2 * leaf if eqx.is_array(leaf) else leaf, eqx.filter_pmap(model))
    for duplicate in (copy.copy, copy.deepcopy, lambda mapped: pickle.loads(pickle.dumps(mapped))):
        assert_equal(duplicate(doubled)(jnp.ones(1)), jnp.full((1, 3), 2.0))
    assert eqx.filter_pmap(same) == eqx.filter_pmap(same)
    assert eqx.filter_pmap(same) != eqx.filter_pmap(same, in_axes=1)


# On four devices


@check
def each_slice_is_on_a_device_of_its_own():
    found, text = eqx.filter_pmap(lambda x, text: (2 * x, text))(inputs(), "text")
    assert_equal(found, 2 * inputs())
    assert_one_part_on_each_device(found)
    assert text == "text"


@check
def axes_are_those_of_vmap():
    x = inputs()
    found = eqx.filter_pmap(lambda a, b: a + b, in_axes=(1, None), out_axes=-1)(x, x[:, 0])
    assert_equal(found, x + x[:, :1])
    assert_one_part_on_each_device(found, axis=1)
    outputs = eqx.filter_pmap(lambda a: (a, a[0], a[None]), out_axes=-1)(x)
    assert_equal(outputs, (x.T, x[:, 0], x.T[None]))
    by_name = eqx.filter_pmap(lambda a, b: a * b, in_axes={"b": None})(x, 2.0)
    assert_equal(by_name, 2 * x)
    assert_equal(eqx.filter_pmap(lambda a: (a, 3), in_axes=-2, out_axes=(0, 0))(x), (x, jnp.full(4, 3)))


@check
def an_axis_that_the_output_has_not_is_an_error():
    for axis in (7, -3):
        with pytest.raises(ValueError, match="must correspond to a dimension"):
            eqx.filter_pmap(lambda a: a, out_axes=axis)(inputs())


@check
def different_sizes_are_an_error():
    with pytest.raises(ValueError, match=r"inconsistent sizes(.|\n)*`a`(.|\n)*`b`"):
        eqx.filter_pmap(lambda a, b: a)(inputs(), inputs()[:2])


@check
def a_named_axis_is_there_for_collectives():
    x = inputs()
    assert_equal(eqx.filter_pmap(lambda a: jax.lax.psum(a, "i"), axis_name="i")(x), jnp.stack([x.sum(0)] * 4))
    total = eqx.filter_pmap(lambda a: (jax.lax.psum(a, "i"), "text"), axis_name="i", out_axes=None)(x)
    assert_equal(total, (x.sum(0), "text"))
    index = eqx.filter_pmap(lambda: jax.lax.axis_index("i")[None], axis_name="i", axis_size=4)()
    assert index.tolist() == [[0], [1], [2], [3]]


@check
def fewer_slices_use_fewer_devices():
    assert eqx.filter_pmap(lambda a: a)(inputs()[:3]).devices() == set(jax.devices()[:3])
    assert eqx.filter_pmap(lambda a: a, axis_size=2, in_axes=None)(inputs()).shape == (2, 4, 2)


@check
def devices_can_be_given():
    mapped = eqx.filter_pmap(lambda a: a, devices=jax.devices()[2:])
    assert mapped(inputs()[:2]).devices() == set(jax.devices()[2:])
    with pytest.raises(ValueError, match="2 devices"):
        mapped(inputs())
    assert eqx.filter_pmap(lambda a: a, backend="cpu")(inputs()).devices() == set(jax.devices())


@check
def arrays_that_are_bound_to_another_device_are_moved():
    x = jax.device_put(inputs(), jax.devices()[1])
    found = eqx.filter_pmap(lambda a, b, n: a + b[0] * n, in_axes=(0, None, None))(x, x, 2)
    assert_equal(found, inputs() + 2 * inputs()[0])
    assert_one_part_on_each_device(found)


@check
def models_can_be_replicated_and_trained():
    def step(model, x):
        gradient = eqx.filter_grad(lambda model, x: jnp.sum(model(x) ** 2))(model, x)
        return jax.lax.pmean(gradient.weight, "i")

    x = inputs()
    found = eqx.filter_pmap(step, axis_name="i", in_axes=(None, 0), out_axes=None)(Model(jnp.ones(2)), x)
    np.testing.assert_allclose(found, 2 * jnp.mean(x**2, 0), rtol=1e-6)


@check
def it_works_with_other_transformations():
    x = inputs()
    square = eqx.filter_pmap(lambda a: a**2)
    assert_equal(eqx.filter_jit(square)(x), x**2)
    assert_equal(jax.vmap(square)(x[None]), (x**2)[None])
    assert_equal(jax.grad(lambda x: square(x).sum())(x), 2 * x)
    assert_equal(square(square(x)), x**4)
    keys = jax.random.split(jax.random.key(0), 4)
    assert_equal(eqx.filter_pmap(jax.random.uniform)(keys), jax.vmap(jax.random.uniform)(keys))


@pytest.mark.parametrize("name", check.names)
def test_on_four_devices(name):
    check.assert_passed(name)


if __name__ == "__main__":
    check.main()
