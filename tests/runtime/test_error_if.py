"""Errors that depend on values, in every context in which a program may be run."""

import functools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import equinox as eqx
from tests.runtime.program import program

X = jnp.array([1.0, 2.0, 3.0])


@eqx.filter_jit
def limited(x, limit=2.5):
    return eqx.error_if(x, x > limit, "x is too large")


# A condition that is known while tracing.


def test_what_is_known_to_be_false_is_returned_as_it_is_and_needs_no_array() -> None:
    tree = {"a": 1.0, "b": "text"}
    for on_error in ("raise", "nan", "breakpoint", "off"):
        assert eqx.error_if(tree, False, "message", on_error=on_error) is tree
        assert eqx.error_if(X, np.array([False, False]), "message", on_error=on_error) is X
        assert eqx.error_if(X, jnp.array(False), "message", on_error=on_error) is X


@pytest.mark.parametrize("pred", [True, 1])
def test_what_is_known_to_be_true_is_an_error_with_just_the_message_and_needs_no_array(pred: Any) -> None:
    with pytest.raises(eqx.EquinoxTracetimeError) as info:
        eqx.error_if("no array", pred, "the message")
    assert str(info.value) == "the message"


@pytest.mark.parametrize("pred", [np.array(True), np.True_, X > 1], ids=["array", "scalar", "jax"])
def test_constants_inside_of_jit_are_known_while_tracing(pred: Any) -> None:
    with pytest.raises(eqx.EquinoxTracetimeError) as info:
        jax.jit(lambda x: eqx.error_if(x, pred, "the message"))(X)
    assert str(info.value) == "the message"
    jaxpr = jax.make_jaxpr(lambda x: eqx.error_if(x, np.array(False), "the message"))(X)
    assert not jaxpr.eqns


def test_nothing_is_computed_for_plain_booleans() -> None:
    run = program("""
        import jax, equinox
        from jax._src import xla_bridge
        equinox.error_if(1.0, False, "message")
        try:
            equinox.error_if(1.0, True, "message")
        except equinox.EquinoxTracetimeError:
            pass
        print(xla_bridge.backends_are_initialized())
    """)
    assert (run.stdout.strip(), run.stderr) == ("False", "")


def test_nan_replaces_arrays_at_trace_time_and_warns_and_leaves_everything_else_alone() -> None:
    tree = (X, jnp.arange(2), jnp.array([False]), np.ones(2), 1.5, "text", None)
    with pytest.warns(UserWarning, match="the message") as record:
        x, integers, booleans, of_numpy, *rest = eqx.error_if(tree, True, "the message", on_error="nan")
    assert record[0].filename == __file__
    assert jnp.isnan(x).all()
    assert (integers == np.iinfo(np.int32).max).all()
    assert booleans.all()
    assert np.isnan(of_numpy).all()
    assert rest == [1.5, "text", None]


def test_nan_without_an_array_is_no_error_at_trace_time() -> None:
    with pytest.warns(UserWarning, match="the message"):
        assert eqx.error_if((1.0, "text"), True, "the message", on_error="nan") == (1.0, "text")


def test_breakpoint_at_trace_time_opens_the_debugger_of_python_in_the_users_frame_and_goes_on() -> None:
    run = program(
        """
        import jax.numpy as jnp, equinox as eqx
        def function(x, secret):
            return eqx.error_if(x, True, "the message", on_error="breakpoint")
        print(function(jnp.array(1.0), "the secret"))
        """,
        stdin="p secret\nc\nc\n",
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("the message")
    assert "'the secret'" in run.stdout
    assert run.stdout.strip().endswith("nan")


def test_off_is_no_check_at_all() -> None:
    for pred in (True, X > 1):
        assert eqx.error_if(X, pred, "message", on_error="off") is X
    assert not jax.make_jaxpr(lambda x: eqx.error_if(x, x.sum() > 1, "message", on_error="off"))(X).jaxpr.eqns[2:]


@pytest.mark.parametrize("pred", [True, False, X > 1])
def test_an_unknown_way_to_react_is_an_error(pred):
    with pytest.raises(RuntimeError, match="argument `on_error`: found 'ignore', expected one of 'raise'"):
        eqx.error_if(X, pred, "message", on_error="ignore")


def test_a_condition_that_is_no_boolean_is_an_error():
    for pred in ("yes", None, 0.0, 0.5, 1j, jnp.array(0.0), np.ones(2), np.float32(1.0), jnp.ones(1, jnp.bfloat16)):
        for run in (lambda f: f, eqx.filter_jit):
            with pytest.raises(TypeError, match=r"argument `pred`: found .*comparison"):
                run(lambda x, pred: eqx.error_if(x, pred, "message"))(X, pred)


@pytest.mark.parametrize("message", [3, None, b"bytes", ValueError("text"), ["text"]])
def test_a_message_that_is_no_string_is_an_error_before_it_is_needed(message):
    for pred in (False, X > 5):
        with pytest.raises(TypeError, match=r"argument `msg`: found .* expected a string"):
            eqx.error_if(X, pred, message)
        with pytest.raises(TypeError, match=r"argument `msgs\[1\]`: found .* expected a string"):
            eqx.branched_error_if(X, pred, 0, ["text", message])


def test_a_string_is_no_sequence_of_messages():
    with pytest.raises(TypeError, match=r"argument `msgs`: found .*'text', expected a sequence"):
        eqx.branched_error_if(X, X > 5, 0, "text")


def test_a_check_at_run_time_needs_an_array() -> None:
    for pred in (jnp.array(False), np.array(False)):
        with pytest.raises(ValueError, match=r"argument `x`: found .* no array"):
            eqx.error_if((1.0, "text", np.array(["text"])), pred, "message")
    with pytest.raises(ValueError, match="argument `x`"):
        jax.jit(lambda x: eqx.error_if(1.0, x > 0, "message"))(1.0)


# A condition that is known at run time only.


def test_everything_comes_back_as_it_was() -> None:
    tree = {"a": (X, 1, "text"), "b": jnp.asarray(0.5), "c": jnp.arange(3, dtype=jnp.int8), "d": jax.nn.relu}
    result = eqx.filter_jit(lambda tree, pred: eqx.error_if(tree, pred, "message"))(tree, jnp.array([False, False]))
    assert eqx.tree_equal(result, tree, typematch=True)
    assert result["b"].weak_type


def test_a_failure_is_one_error_without_a_cause_and_without_a_record_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = [
        lambda: limited(X),
        lambda: eqx.error_if(X, X > 2.5, "x is too large"),
        lambda: eqx.jitf(lambda x: eqx.error_if(x, x > 2.5, "x is too large"), filter_fn=eqx.is_array)(X),
        lambda: eqx.aot(limited).lower(X).compile()(X),
        lambda: jax.vmap(limited)(X),
        lambda: eqx.filter_grad(limited)(jnp.array(3.0)),
    ]
    for call in calls:
        with pytest.raises(eqx.EquinoxRuntimeError) as info:
            call()
        error = info.value
        text = str(error)
        assert type(error) is eqx.EquinoxRuntimeError
        assert (error.__cause__, error.__suppress_context__) == (None, True)
        assert text.startswith("Above is the stack outside of JIT")
        assert text.index("Above is the stack") < text.index("x is too large") < text.index("EQX_ON_ERROR")
    assert not caplog.records


def test_other_failures_are_those_of_jax_and_are_raised_instead_of_logged(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(eqx.EquinoxRuntimeError):
        limited(X)

    def fail(x):
        raise ArithmeticError("from the callback")

    @eqx.filter_jit
    def function(x):
        x = eqx.error_if(x, x > 5, "message")
        return jax.pure_callback(fail, x, x)

    for _ in range(2):
        with pytest.raises((jax.errors.JaxRuntimeError, ValueError), match="from the callback"):
            function(X)
    assert not caplog.records


def test_a_callback_that_nobody_waits_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail(x):
        raise ArithmeticError("from the callback")

    with pytest.raises(jax.errors.JaxRuntimeError, match="from the callback"):
        jax.block_until_ready(jax.jit(lambda x: jax.pure_callback(fail, x, x))(X))
    assert caplog.records


@pytest.mark.parametrize("transformation", [jax.jit, jax.pmap])
def test_without_filter_jit_it_is_an_error_of_jax_with_the_message_and_advice(transformation: Any) -> None:
    with pytest.raises((RuntimeError, ValueError), match=r"(?s)x is too large.*`equinox.filter_jit`") as info:
        jax.block_until_ready(transformation(lambda x: eqx.error_if(x, x > 2.5, "x is too large"))(X[None, 2]))
    assert not isinstance(info.value, eqx.EquinoxRuntimeError)


def test_the_first_of_two_failures_in_the_order_of_the_data_is_reported() -> None:
    @eqx.filter_jit
    def function(x):
        y = eqx.error_if(x, x > 1, "first")
        return eqx.error_if(y, x > 2, "second")

    with pytest.raises(eqx.EquinoxRuntimeError, match=r"\nfirst\n"):
        function(jnp.array(3.0))


def test_a_failure_stops_a_loop() -> None:
    seen: list[int] = []

    def note(x):
        seen.append(int(x))
        return x

    def body(x):
        x = eqx.error_if(x + 1, x >= 2, "stop")
        return jax.pure_callback(note, x, x)

    with pytest.raises(eqx.EquinoxRuntimeError, match="stop"):
        eqx.filter_jit(lambda x: lax.scan(lambda x, _: (body(x), None), x, None, length=9))(jnp.array(0))
    assert seen == [1, 2]
    seen.clear()
    with pytest.raises(eqx.EquinoxRuntimeError, match="stop"):
        eqx.filter_jit(lambda x: lax.while_loop(lambda x: x < 9, body, x))(jnp.array(0))
    assert seen == [1, 2]


def test_a_result_that_is_not_used_is_not_checked() -> None:
    @eqx.filter_jit
    def function(x):
        eqx.error_if(x, x > 1, "message")
        return x

    assert function(jnp.array(3.0)) == 3


@pytest.mark.parametrize("constant", [jnp.nan, jnp.inf, 0.0, 1, True])
def test_constants_are_no_excuse_to_drop_the_check(constant: Any) -> None:
    with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
        eqx.filter_jit(lambda pred: eqx.error_if(jnp.array(constant), pred, "message"))(jnp.array(True))


def test_keys_go_through():
    key = jax.random.key(0)
    check = eqx.filter_jit(lambda key, pred: eqx.error_if({"key": key, "name": "text"}, pred, "message"))
    result = check(key, jnp.array(False))
    assert jnp.array_equal(jax.random.key_data(result["key"]), jax.random.key_data(key))
    with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
        check(key, jnp.array(True))
    replaced = eqx.error_if(key, jnp.array(True), "message", on_error="nan")
    assert (np.asarray(jax.random.key_data(replaced)) == np.iinfo(np.uint32).max).all()


@pytest.mark.parametrize("is_compiled", [False, True])
def test_nan_at_run_time(is_compiled: bool) -> None:
    def function(tree, pred):
        return eqx.error_if(tree, pred, "message", on_error="nan")

    if is_compiled:
        function = eqx.filter_jit(function)
    tree = (X, jnp.ones(2, jnp.complex64), jnp.arange(2, dtype=jnp.uint8), jnp.array(False), 1.5, "text")
    assert eqx.tree_equal(function(tree, jnp.array(False)), tree)
    x, z, integers, boolean, *rest = function(tree, jnp.array(True))
    assert jnp.isnan(x).all()
    assert jnp.isnan(z).all()
    assert (integers == 255).all()
    assert boolean
    assert rest == [1.5, "text"]


def test_breakpoint_at_run_time_prints_and_opens_the_debugger_of_jax_and_goes_on_with_nan() -> None:
    run = program(
        """
        import jax, jax.numpy as jnp, equinox as eqx
        @eqx.filter_jit
        def function(x):
            secret = x + 41
            return eqx.error_if(x, x > 0, "the message")
        print(function(jnp.array(-1.0)))
        print(function(jnp.array(1.0)))
        print(jax.vmap(function)(jnp.array([-1.0, 1.0])))
        """,
        stdin="p secret\nc\n" + "c\n" * 9,
        EQX_ON_ERROR="breakpoint",
        PYTHONWARNINGS="ignore",
    )
    assert run.returncode == 0, run.stderr
    first, *rest = run.stdout.splitlines()
    assert first == "-1.0"
    assert rest[0] == "the message"
    assert "42" in "".join(rest)
    assert "(jdb) nan" in rest
    assert "Batch index (1,) had error:" in rest
    assert rest[-1].endswith("[nan nan]")


# Transformations


def test_a_batch_fails_if_any_of_its_elements_does_and_each_is_named() -> None:
    def check(x):
        return eqx.error_if(x, x > 3, "too large")

    x = jnp.arange(6).reshape(2, 3)
    expected = "Batch index (1, 1) had error:\ntoo large\n\nBatch index (1, 2) had error:\ntoo large\n"
    for function in (jax.vmap(jax.vmap(check)), eqx.filter_jit(jax.vmap(jax.vmap(check)))):
        with pytest.raises(eqx.EquinoxRuntimeError) as info:
            function(x)
        assert f"\n{expected}" in str(info.value)
        assert (function(x - 2) == x - 2).all()


def test_the_axes_of_a_batch_are_in_the_order_of_the_vmaps() -> None:
    inner = jax.vmap(lambda x: eqx.error_if(x, x == 5, "five"), in_axes=0)
    with pytest.raises(eqx.EquinoxRuntimeError, match=r"Batch index \(2, 1\) had error"):
        jax.vmap(inner, in_axes=1)(jnp.arange(6).reshape(2, 3))


def test_a_single_element_is_not_called_a_batch() -> None:
    with pytest.raises(eqx.EquinoxRuntimeError) as info:
        limited(X)
    assert "Batch index" not in str(info.value)


def test_of_a_large_batch_only_some_elements_are_named() -> None:
    with pytest.raises(eqx.EquinoxRuntimeError, match="\n\n400 more batch indices had errors") as info:
        jax.vmap(lambda x: eqx.error_if(x, x >= 0, "message"))(jnp.zeros(500))
    assert str(info.value).count("Batch index") == 100


def test_a_batch_has_one_conditional() -> None:
    function = jax.jit(jax.vmap(lambda x: eqx.error_if(x, x > 1, "message")))
    assert function.lower(X).as_text().count("stablehlo.case") == 1


def test_what_is_not_batched_remains_so() -> None:
    function = jax.vmap(lambda x, y: eqx.error_if(y, x > 3, "message"), in_axes=(0, None), out_axes=None)
    assert function(X, X).shape == (3,)
    with pytest.raises(eqx.EquinoxRuntimeError, match=re.escape("Batch index (2,)")):
        function(X + 1, X)


def test_derivatives_are_those_of_the_identity_and_check_the_primal() -> None:
    def function(x):
        return eqx.error_if(x, x > 3, "too large") ** 3

    for transform in (lambda f: f, eqx.filter_jit):
        assert transform(jax.grad(function))(2.0) == 12
        assert transform(jax.grad(jax.grad(function)))(2.0) == 12
        primal, tangent = transform(lambda x: jax.jvp(function, (x,), (1.0,)))(2.0)
        assert (primal, tangent) == (8, 12)
        assert transform(jax.vmap(jax.grad(function)))(X).tolist() == [3, 12, 27]
        with pytest.raises(eqx.EquinoxRuntimeError, match="too large"):
            transform(jax.grad(function))(jnp.array(4.0))
        with pytest.raises(eqx.EquinoxRuntimeError, match="too large"):
            transform(jax.grad(jax.checkpoint(function)))(jnp.array(4.0))


def test_symbolically_zero_tangents_remain_so() -> None:
    differentiated: list[str] = []

    @functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
    def spy(name, x):
        return x

    @spy.defjvp
    def rule(name, primals, tangents):
        differentiated.append(name)
        return primals[0], tangents[0]

    def function(x):
        x, constant = eqx.error_if((x, jnp.ones(3)), x > 3, "too large")
        return spy("variable", x) * spy("constant", constant).sum()

    for transform in (lambda f: f, eqx.filter_jit):
        differentiated.clear()
        transform(lambda x: jax.jvp(function, (x,), (1.0,)))(1.0)
        assert differentiated == ["variable"]


def test_branches_that_are_not_taken_do_not_fail() -> None:
    @eqx.filter_jit
    def function(x):
        return lax.cond(x > 0, lambda x: eqx.error_if(x, x > 1, "message"), lambda x: -x, x)

    assert function(jnp.array(-5.0)) == 5
    with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
        function(jnp.array(5.0))


def test_checks_inside_of_custom_rules() -> None:
    @jax.custom_vjp
    def function(x):
        return eqx.error_if(x, x > 2, "forward")

    def backward(_, ct):
        return (eqx.error_if(ct, ct > 2, "backward"),)

    function.defvjp(lambda x: (function(x), None), backward)

    gradient = eqx.filter_jit(lambda x, y: jax.grad(lambda x: y * function(x))(x))
    assert gradient(1.0, jnp.array(2.0)) == 2
    with pytest.raises(eqx.EquinoxRuntimeError, match="backward"):
        gradient(1.0, jnp.array(3.0))
    with pytest.raises(eqx.EquinoxRuntimeError, match="forward"):
        eqx.filter_jit(function)(jnp.array(3.0))


def test_shapes_are_found_without_running_the_check() -> None:
    assert jax.eval_shape(lambda x: eqx.error_if(x, x > 1, "message"), X).shape == (3,)
    assert eqx.aot(limited).eval_shape(X).shape == (3,)


def test_with_jit_disabled_the_check_is_ordinary_python() -> None:
    with jax.disable_jit(), pytest.raises(eqx.EquinoxRuntimeError, match="x is too large"):
        limited(X)


# Several messages


def test_the_index_chooses_the_message() -> None:
    messages = ["zero", "one", "two"]
    function = eqx.filter_jit(lambda x, index: eqx.branched_error_if(x, x > 0, index, messages))
    for index, message in enumerate(messages):
        with pytest.raises(eqx.EquinoxRuntimeError, match=rf"\n{message}\n"):
            function(jnp.array(1), jnp.array(index))
        with pytest.raises(eqx.EquinoxRuntimeError, match=rf"\n{message}\n"):
            function(jnp.array(1), index)
        with pytest.raises(eqx.EquinoxTracetimeError, match=rf"^{message}$"):
            eqx.branched_error_if(X, True, index, messages)


def test_a_negative_index_that_is_known_counts_from_the_end() -> None:
    with pytest.raises(eqx.EquinoxTracetimeError, match=r"^two$"):
        eqx.branched_error_if(X, True, -1, ["one", "two"])
    with pytest.raises(eqx.EquinoxRuntimeError, match=r"\ntwo\n"):
        eqx.filter_jit(lambda x: eqx.branched_error_if(x, x > 0, -1, ["one", "two"]))(X)


@pytest.mark.parametrize("index", [2, -3])
def test_a_known_index_without_a_message_is_an_error_while_tracing(index: int) -> None:
    with pytest.raises(IndexError, match=rf"argument `index`: found {index}, but there are 2 messages"):
        eqx.branched_error_if(X, True, index, ["one", "two"])
    with pytest.raises(IndexError, match="argument `index`"):
        jax.eval_shape(lambda x: eqx.branched_error_if(x, x > 0, index, ["one", "two"]), X)
    assert eqx.branched_error_if(X, False, index, ["one", "two"]) is X


@pytest.mark.parametrize("index", [2, -1])
def test_an_index_without_a_message_at_run_time_is_named(index: int) -> None:
    with pytest.raises(eqx.EquinoxRuntimeError, match=rf"`index` is {index}, .* `len\(msgs\)`, 2"):
        eqx.filter_jit(lambda x, i: eqx.branched_error_if(x, x > 0, i, ["one", "two"]))(X, jnp.array(index))


def test_a_known_condition_with_an_unknown_index_is_checked_at_run_time() -> None:
    with pytest.raises(eqx.EquinoxRuntimeError, match=r"\ntwo\n"):
        eqx.filter_jit(lambda x, i: eqx.branched_error_if(x, True, i, ["one", "two"]))(X, jnp.array(1))


def test_each_element_of_a_batch_has_its_own_message() -> None:
    function = jax.vmap(lambda x, i: eqx.branched_error_if(x, x > 1, i, ["zero", "one", "two"]))
    with pytest.raises(eqx.EquinoxRuntimeError) as info:
        eqx.filter_jit(function)(X, jnp.array([0, 2, 1]))
    assert "\nBatch index (1,) had error:\ntwo\n\nBatch index (2,) had error:\none\n" in str(info.value)
    with pytest.raises(eqx.EquinoxRuntimeError, match=r"Batch index \(0,\) had error:\nzero"):
        jax.vmap(lambda i: eqx.branched_error_if(X, X.sum() > 0, i, ["zero", "one"]))(jnp.array([0, 1]))


def test_of_an_array_of_indices_the_greatest_that_applies_is_chosen() -> None:
    pred, index = jnp.array([True, True, False]), jnp.array([0, 1, 2])
    for function in (eqx.branched_error_if, eqx.filter_jit(eqx.branched_error_if)):
        with pytest.raises(eqx.EquinoxRuntimeError, match=r"\none\n"):
            function(X, pred, index, ("zero", "one", "two"))


@pytest.mark.parametrize("index", [0.0, jnp.array(0.0)])
def test_an_index_that_is_no_integer_is_an_error(index: Any) -> None:
    with pytest.raises(TypeError, match="argument `index`"):
        eqx.branched_error_if(X, True, index, ["message"])
    with pytest.raises(TypeError, match="argument `index`"):
        jax.eval_shape(lambda x, index: eqx.branched_error_if(x, x > 0, index, ["message"]), X, index)
