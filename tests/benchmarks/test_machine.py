import jax

import equinox as eqx
from benchmarks.machine import describe_machine, is_busy


def test_the_versions_are_those_that_are_measured():
    machine = describe_machine()
    assert (machine["measured"], machine["jax"]) == (f"equinox {eqx.__version__}", jax.__version__)
    assert machine["device"].startswith(jax.default_backend())


def test_a_machine_on_which_other_programs_run_is_busy():
    assert is_busy({"load": "3.2"})
    assert not is_busy({"load": "0.1"})


def test_the_load_is_a_number():
    assert float(describe_machine()["load"]) >= 0
