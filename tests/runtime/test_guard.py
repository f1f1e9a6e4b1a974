"""Compiled functions wait for their results exactly if there are runtime checks in them."""

import threading
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax._src.dispatch import runtime_tokens  # private, but so is what is to be forgotten

import equinox as eqx
from equinox._runtime.failures import Failure, report
from tests.runtime.program import program

X = jnp.array(1.0)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What has been waited for."""
    waited: list[Any] = []
    wait = jax.block_until_ready

    def block_until_ready(x):
        if not isinstance(x, jax.core.Tracer):
            waited.append(x)
        return wait(x)

    monkeypatch.setattr(jax, "block_until_ready", block_until_ready)
    return waited


def check(x):
    return eqx.error_if(x, x > 5, "message")


def test_a_program_without_checks_does_not_wait(waits: list[Any]) -> None:
    function = eqx.filter_jit(lambda x: x + 1)
    for x in (X, X, jnp.ones(3), 2.0):
        function(x)
    eqx.aot(function).lower(X).compile()(X)
    assert not waits


def test_a_program_with_checks_waits(waits: list[Any]) -> None:
    function = eqx.filter_jit(check)
    for count, x in enumerate((X, X, jnp.ones(3), 2 * X), 1):
        function(x)
        assert len(waits) == count
    eqx.aot(function).lower(X).compile()(X)
    assert len(waits) == 5


@pytest.mark.parametrize(
    "wrap",
    [
        jax.jit,
        eqx.filter_jit,
        jax.vmap,
        jax.checkpoint,
        lambda f: lambda x: jax.lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0],
        lambda f: lambda x: jax.lax.cond(x.sum() > 0, f, f, x),
        lambda f: lambda x: jax.lax.while_loop(lambda x: x.sum() < 100, lambda x: f(x) + 100, x),
        lambda f: lambda x: jax.grad(lambda x: f(x).sum())(x) * f(x),
    ],
)
def test_checks_are_found_inside_of_other_functions_that_were_traced_before(wrap: Any, waits: list[Any]) -> None:
    inner = wrap(check)
    x = jnp.ones(3)
    jax.jit(inner)(x)
    waits.clear()
    eqx.filter_jit(lambda x: inner(x) + 1)(x)
    assert len(waits) == 1
    with pytest.raises(eqx.EquinoxRuntimeError):
        eqx.filter_jit(lambda x: inner(x) + 1)(10 * x)


def test_a_function_that_was_traced_as_a_part_of_another_one_is_found_to_have_checks() -> None:
    function = eqx.filter_jit(check)
    eqx.filter_jit(lambda x: function(x) + 1)(X)
    with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
        function(10 * X)


def test_checks_for_some_shapes_only_are_found() -> None:
    def check_arrays(x):
        return check(x) if x.ndim else x

    first, second = eqx.filter_jit(check_arrays), eqx.filter_jit(check_arrays)
    for function in (first, second):
        function(X)
        function(X)
    first(jnp.ones(2))
    for function in (first, second):
        assert function(10 * X) == 10
        for _ in range(2):
            with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
                function(10 * jnp.ones(2))


def test_each_signature_is_traced_once() -> None:
    count = 0

    def function(x, flag=True):
        nonlocal count
        count += 1
        return check(x) if flag else x

    jitted = eqx.filter_jit(function)
    calls: list[Any] = [(X,), (jnp.ones(2),), (X, False), (jnp.ones(2), False), (1.0,)]
    for expected, arguments in enumerate(calls, 1):
        for _ in range(2):
            jitted(*arguments)
            jax.vmap(lambda i, arguments=arguments: jitted(*arguments))(jnp.arange(2))
        assert count == expected


def test_a_function_that_calls_itself() -> None:
    @eqx.filter_jit
    def total(x):
        return total(x[1:]) + check(x[0]) if x.shape[0] else 0.0

    assert total(jnp.arange(4.0)) == 6
    with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
        total(jnp.arange(8.0))


def test_errors_while_tracing_are_those_of_the_function() -> None:
    @eqx.filter_jit
    def function(x):
        if x.ndim:
            raise KeyError("from the function")
        return check(x)

    function(X)
    for _ in range(2):
        with pytest.raises(KeyError, match="from the function") as info:
            function(jnp.ones(2))
        assert info.value.__context__ is None
    assert function(X) == 1


def test_donated_arrays_may_be_checked() -> None:
    function = eqx.filter_jit(check, donate="all")
    x = X + 1
    assert function(x) == 2
    assert x.is_deleted()
    with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
        function(10 * X)


def test_threads_get_their_own_failures() -> None:
    function = eqx.filter_jit(lambda x, name: eqx.error_if(x, x > 5, f"message of {name}"))
    found: dict[int, list[bool]] = {i: [] for i in range(8)}

    def run(i):
        for j in range(5):
            try:
                function(X if j % 2 else 10 * X, f"thread {i}")
                found[i].append(j % 2 == 1)
            except eqx.EquinoxRuntimeError as error:
                found[i].append(j % 2 == 0 and f"\nmessage of thread {i}\n" in str(error))

    threads = [threading.Thread(target=run, args=(i,)) for i in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answers == [True] * 5 for answers in found.values())


def test_exiting_after_a_failure_is_quiet() -> None:
    run = program("""
        import jax, jax.numpy as jnp, equinox as eqx

        @eqx.filter_jit
        def function(x):
            jax.debug.print("before {}", x, ordered=True)
            x = eqx.error_if(x, x > 0, "message")
            jax.debug.print("after {}", x, ordered=True)
            return x

        for x in (jnp.array(-1.0), jnp.array(1.0), jnp.array(1.0)):
            try:
                function(x)
            except eqx.EquinoxRuntimeError:
                print("caught")
    """)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.count("caught") == 2


def test_ordered_effects_that_failed_with_a_check_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whether they fail with it depends on the device: on a CPU, they do not.
    failure: Any = None
    forgotten: list[bool] = []

    def effects_barrier():
        raise jax.errors.JaxRuntimeError(str(failure))

    monkeypatch.setattr(jax, "effects_barrier", effects_barrier)
    monkeypatch.setattr(runtime_tokens, "clear", lambda: forgotten.append(True), raising=False)
    function = eqx.filter_jit(check)
    failure = report(Failure("message", ()))
    with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
        function(10 * X)
    assert forgotten == [True]
    failure = "another failure"
    with pytest.raises(RuntimeError, match="another failure"):
        function(10 * X)
    assert forgotten == [True]


def test_importing_the_package_does_not_load_the_checks() -> None:
    run = program("""
        import sys, equinox
        equinox.filter_jit(lambda x: x)(1.0)
        print({"equinox._runtime.check", "equinox._runtime.error_if", "equinox.debug"} & sys.modules.keys())
    """)
    assert run.stdout.strip() == "set()", run.stderr


def test_a_check_in_the_implementation_of_a_primitive_is_one_of_the_program() -> None:
    def rule(*args: Any, **params: Any) -> Any:
        raise AssertionError

    def impl(x: Any) -> list[Any]:
        return [check(x)]

    check_p = eqx.internal.create_vprim("check", impl, lambda x: [x], rule, rule)
    function = eqx.filter_jit(lambda x: check_p.bind(x)[0])
    assert function(X) == X
    for x in (X + 5, jnp.array([1, 6])):
        with pytest.raises(eqx.EquinoxRuntimeError, match="message"):
            function(x)
