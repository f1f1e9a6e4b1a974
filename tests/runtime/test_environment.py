import pytest

from tests.runtime.program import program

SETTINGS = """
    from equinox._runtime import environment
    print(environment.ON_ERROR, environment.BREAKPOINT_FRAMES, environment.GETKEY_SEED)
"""


def test_the_defaults() -> None:
    run = program(SETTINGS)
    assert (run.stdout.split(), run.stderr) == (["raise", "1", "None"], "")


@pytest.mark.parametrize("value", ["raise", "nan", "off"])
def test_variables_are_read(value: str) -> None:
    run = program(SETTINGS, EQX_ON_ERROR=value, EQX_ON_ERROR_BREAKPOINT_FRAMES="3", EQX_GETKEY_SEED="42")
    assert (run.stdout.split(), run.stderr) == ([value, "3", "42"], "")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("EQX_ON_ERROR", "explode"), ("EQX_ON_ERROR_BREAKPOINT_FRAMES", "many"), ("EQX_GETKEY_SEED", "0.5")],
)
def test_a_bad_value_is_an_error_when_the_package_is_imported(variable: str, value: str) -> None:
    run = program("import equinox", **{variable: value})
    assert run.returncode != 0
    assert run.stderr.splitlines()[-1].startswith(f"ValueError: Environment variable `{variable}`: found '{value}'")


def test_breakpoint_warns_when_the_package_is_imported_and_leaves_jax_alone() -> None:
    run = program(
        """
        import jax
        jit = jax.jit
        import equinox
        equinox.error_if, equinox.filter_jit
        print(jax.jit is jit)
        """,
        EQX_ON_ERROR="breakpoint",
    )
    assert run.stdout.strip() == "True"
    assert "UserWarning: Environment variable `EQX_ON_ERROR` is 'breakpoint'" in run.stderr


def test_the_default_reaction_is_that_of_the_environment() -> None:
    text = """
        import jax.numpy as jnp, equinox as eqx
        print(eqx.filter_jit(lambda x: eqx.error_if(x, x > 0, "message"))(jnp.array(1.0)))
    """
    assert program(text, EQX_ON_ERROR="nan").stdout.strip() == "nan"
    assert program(text, EQX_ON_ERROR="off").stdout.strip() == "1.0"
    assert "EquinoxRuntimeError" in program(text).stderr
