"""Which arrays a compiled function may overwrite with its results."""

import functools as ft
import threading
import typing
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx

UNUSABLE = "donated buffers were not usable"

MODES = ["all", "all-except-first", "warn", "warn-except-first", "none"]


def deleted(tree):
    return jax.tree.map(lambda leaf: leaf.is_deleted(), tree)


def increment(tree):
    return jax.tree.map(lambda leaf: leaf + 1, tree)


class Increment(eqx.Module):
    own: jax.Array

    def __call__(self, first, second, *, third=None):
        return increment((self.own, first, second, third))


# filter_jit


@pytest.mark.parametrize(
    ("donate", "expected"),
    [
        ("all", (True, True, True, True)),
        ("all-except-first", (True, False, True, True)),
        ("warn", (True, True, True, True)),
        ("warn-except-first", (True, False, True, True)),
        ("none", (False, False, False, False)),
    ],
)
def test_donate_says_whose_arrays_are_overwritten(donate, expected):
    for spelling in ("positional", "keyword"):
        # Of different shapes, so that each has one output that it can become.
        own, first, second, third = (jnp.zeros(size) for size in (2, 3, 4, 5))
        function = eqx.filter_jit(Increment(own), donate=donate)
        if spelling == "positional":
            output = function(first, second, third=third)
        else:
            output = function(third=third, second=second, first=first)
        assert (*map(deleted, (own, first, second, third)),) == expected
        assert [array.sum() for array in output] == [2, 3, 4, 5]


@pytest.mark.parametrize("donate", ["all-except-first", "warn-except-first"])
def test_the_first_argument_may_be_one_that_can_only_be_passed_by_keyword(donate):
    @eqx.filter_jit(donate=donate)
    def function(*, first, second):
        return increment((first, second))

    first, second = jnp.zeros(2), jnp.zeros(3)
    function(second=second, first=first)
    assert deleted((first, second)) == (False, True)


def test_donate_is_none_by_default():
    x = jnp.zeros(2)
    eqx.filter_jit(increment)(x)
    assert not x.is_deleted()


@pytest.mark.parametrize("donate", ["all-except-first", "warn-except-first"])
def test_the_first_argument_of_a_method_is_its_instance(donate):
    class Model(eqx.Module):
        weight: jax.Array

        @eqx.filter_jit(donate=donate)
        def apply(self, x):
            return self.weight + 1, x + 1

    model = Model(jnp.zeros(2))
    x = jnp.zeros(3)
    model.apply(x)
    assert not model.weight.is_deleted()
    assert x.is_deleted()


def test_the_instance_of_a_bound_method_is_part_of_the_callable():
    class Model(eqx.Module):
        weight: jax.Array

        def apply(self, x):
            return self.weight + 1, x + 1

    model = Model(jnp.zeros(2))
    x = jnp.zeros(3)
    eqx.filter_jit(model.apply, donate="all-except-first")(x)
    assert model.weight.is_deleted()
    assert not x.is_deleted()


def test_only_arrays_of_jax_that_an_output_can_replace_are_deleted():
    matching, other = jnp.zeros(2), jnp.zeros(3)
    from_numpy = np.zeros(2, np.float32)
    static = ["text", 1]

    @eqx.filter_jit(donate="all")
    def function(matching, other, from_numpy, static):
        return matching + jnp.sum(other) + from_numpy, static

    for _ in range(2):
        function(matching, other, from_numpy, static)
        assert matching.is_deleted()
        assert not other.is_deleted()
        assert from_numpy.tolist() == [0, 0]
        assert static == ["text", 1]
        matching = jnp.zeros(2)


def test_the_result_lies_where_the_argument_was():
    x = jnp.zeros(1000)
    pointer = x.unsafe_buffer_pointer()
    y = eqx.filter_jit(increment, donate="all")(x)
    assert x.is_deleted()
    assert y.unsafe_buffer_pointer() == pointer


def test_a_training_step_can_overwrite_the_whole_model():
    @eqx.filter_jit(donate="all-except-first")
    def step(x, model):
        return eqx.Partial(model.func, *(arg - x for arg in model.args))

    model = eqx.Partial(jnp.add, jnp.zeros(2), jnp.ones(2))
    x = jnp.ones(2)
    for _ in range(3):
        previous = model
        model = step(x, model)
        assert deleted(previous.args) == (True, True)
    np.testing.assert_array_equal(model(), [-5, -5])
    assert not x.is_deleted()


def test_unusable_arrays_are_reported_once_per_program_or_not_at_all():
    for donate in MODES:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            function = eqx.filter_jit(lambda x, y: jnp.sum(x) + jnp.sum(y), donate=donate)
            for shape in (2, 2, 3, 3):
                function(jnp.zeros(shape), jnp.zeros(shape))
        expected = [UNUSABLE] * (2 if donate.startswith("warn") else 0)
        assert [UNUSABLE for warning in caught if UNUSABLE in str(warning.message)] == expected
        assert len(caught) == len(expected)


def test_silencing_is_for_unusable_arrays_only():
    @eqx.filter_jit(donate="all")
    def function(x):
        warnings.warn("from the user", UserWarning, stacklevel=1)
        return jnp.sum(x)

    with pytest.warns(UserWarning, match="from the user") as caught:
        function(jnp.zeros(2))
    assert len(caught) == 1


def test_silencing_leaves_no_trace_when_calls_overlap():
    # `warnings.catch_warnings` around each would not do: the second call would restore the filters of the first.
    entered, may_leave = threading.Event(), threading.Event()

    @eqx.filter_jit(donate="all")
    def slow(x):
        entered.set()
        assert may_leave.wait(30)
        return x + 1

    @eqx.filter_jit(donate="all")
    def overlapping(x):
        may_leave.set()
        thread.join(30)
        return x + 1

    before = list(warnings.filters)
    thread = threading.Thread(target=slow, args=(jnp.zeros(2),))
    try:
        thread.start()
        assert entered.wait(30)
        overlapping(jnp.zeros(2))
        assert not thread.is_alive()
        assert warnings.filters == before
    finally:
        warnings.filters[:] = before


@pytest.mark.parametrize("donate", ["", "ALL", "first", None, True])
def test_other_values_of_donate_fail_when_decorating(donate):
    for arguments in ((), (increment,)):
        with pytest.raises(ValueError, match=r"(?s)`donate`.*'all-except-first'.*'warn'") as info:
            eqx.filter_jit(*arguments, donate=donate)
        assert repr(donate) in str(info.value)


def test_programs_compiled_ahead_of_time_donate_too():
    x, y = jnp.zeros(2), jnp.zeros(3)
    compiled = eqx.filter_jit(lambda x, y: increment((x, y)), donate="all-except-first").lower(x, y).compile()
    assert deleted((x, y)) == (False, False)
    compiled(x, y)
    assert deleted((x, y)) == (False, True)


@pytest.mark.device
def test_donation_works_on_any_device():
    own, first, second, third = (jnp.zeros(size) for size in (2, 3, 4, 5))
    output = eqx.filter_jit(Increment(own), donate="all-except-first")(first, second, third=third)
    assert deleted((own, first, second, third)) == (True, False, True, True)
    assert [array.sum() for array in output] == [2, 3, 4, 5]


# jitf


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (False, False, False)),
        ({"donate_argnums": 0}, (True, False, False)),
        ({"donate_argnums": (0, 1)}, (True, True, False)),
        ({"donate_argnums": [1]}, (False, True, False)),
        ({"donate_argnums": -1}, (False, True, False)),
        ({"donate_argnums": np.array([1])}, (False, True, False)),
        ({"donate_argnames": "b"}, (False, True, False)),
        ({"donate_argnames": ["a", "c"]}, (True, False, True)),
        ({"donate_argnums": 0, "donate_argnames": "c"}, (True, False, True)),
    ],
)
@pytest.mark.parametrize("spelling", ["positional", "keyword"])
def test_jitf_donates_the_arguments_that_are_named(options, expected, spelling):
    function = eqx.jitf(lambda a, b, *, c: increment((a, b, c)), filter_fn=eqx.is_array, **options)
    a, b, c = jnp.zeros(2), jnp.zeros(3), jnp.zeros(4)
    if spelling == "positional":
        function(a, b, c=c)
    else:
        function(c=c, b=b, a=a)
    assert deleted((a, b, c)) == expected


def test_jitf_donates_the_traced_leaves_of_an_argument():
    static = np.float32(1)
    tree = {"array": jnp.zeros(2), "text": "text", "static": static, "numpy": np.zeros(3)}

    @eqx.jitf(filter_fn=lambda leaf: isinstance(leaf, jax.Array | np.ndarray), donate_argnums=0)
    def function(tree, x):
        return {**tree, "array": tree["array"] + x, "numpy": tree["numpy"] + 1}

    function(tree, jnp.ones(2))
    assert tree["array"].is_deleted()
    assert tree["static"] is static
    assert tree["numpy"].tolist() == [0, 0, 0]


def test_jitf_warns_of_arrays_that_could_not_be_used():
    function = eqx.jitf(jnp.sum, filter_fn=eqx.is_array, donate_argnums=0)
    with pytest.warns(UserWarning, match=UNUSABLE):
        function(jnp.zeros(2))
    function(jnp.zeros(2))  # compiled: warnings are errors here


def test_jitf_donates_nothing_of_the_callable():
    own = jnp.zeros(2)
    first, second = jnp.zeros(3), jnp.zeros(4)
    eqx.jitf(Increment(own), filter_fn=eqx.is_array, donate_argnums=(0, 1))(first, second)
    assert deleted((own, first, second)) == (False, True, True)


@pytest.mark.parametrize("donate", [["a"], typing.cast(typing.Any, 1.5), object()])
def test_jitf_rejects_values_that_name_no_argument(donate):
    for option in ("donate_argnums", "static_argnums"):
        with pytest.raises((TypeError, ValueError)):
            ft.partial(eqx.jitf, filter_fn=eqx.is_array)(lambda a: a, **{option: donate})


def test_an_array_that_was_donated_before_is_named():
    step = eqx.filter_jit(increment, donate="all")
    other = eqx.filter_jit(lambda own, x, *, scale: (own["a"] + x) * scale["s"])
    compiled = eqx.aot(step).lower({"a": jnp.ones(2), "b": [jnp.ones(1)]}).compile()

    def gone():
        tree = {"a": jnp.ones(2), "b": [jnp.ones(1)]}
        step(tree)
        return tree

    ones = {"a": jnp.ones(2)}
    for call, place in [
        (lambda: step(gone()), "argument `tree`, leaf `['a']`"),
        (lambda: compiled(gone()), "argument `tree`, leaf `['a']`"),
        (lambda: other(gone(), 1.0, scale={"s": jnp.array(1.0)}), "argument `own`, leaf `['a']`"),
        (lambda: other(ones, 1.0, scale={"s": gone()["b"][0]}), "argument `scale`, leaf `['s']`"),
        (lambda: eqx.filter_jit(Increment(gone()["a"]))(jnp.ones(2), None), "leaf `.own`"),
    ]:
        for _ in range(2):
            with pytest.raises((RuntimeError, ValueError), match="deleted") as info:
                call()
            assert place in str(info.value)
            assert "donate" in str(info.value)
    assert other(ones, 1.0, scale={"s": jnp.array(2.0)}).tolist() == [4, 4]


def test_other_errors_of_a_call_are_left_alone():
    @eqx.filter_jit
    def function(x):
        if x.ndim == 1:
            raise RuntimeError("deleted is a word")
        return eqx.error_if(x, x > 1, "deleted is a word")

    for x in (jnp.ones(2), jnp.array(2.0)):
        for _ in range(2):
            with pytest.raises(RuntimeError, match="deleted is a word") as info:
                function(x)
            assert "donate" not in str(info.value)
