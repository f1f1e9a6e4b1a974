import os
import subprocess
import sys

import jax
import jax.numpy as jnp

from equinox.internal import GetKey


def test_each_call_returns_the_next_key():
    getkey = GetKey(seed=3)
    for number in (1, 2, 3):
        assert jnp.array_equal(getkey(), jax.random.fold_in(jax.random.PRNGKey(3), number))
        assert getkey.call == number


def test_it_prints_all_that_is_needed_to_repeat_it():
    getkey = GetKey(seed=3)
    getkey()
    assert repr(getkey) == f"GetKey(seed=3, call=1, key={jax.random.PRNGKey(3)!r})"


def test_without_a_seed_it_is_random():
    assert GetKey(None).seed != GetKey(None).seed


def test_two_of_them_are_not_equal():
    assert GetKey(seed=1) != GetKey(seed=1)


def test_the_environment_determines_the_default():
    program = "from equinox.internal import GetKey; print(GetKey().seed)"
    environment = os.environ | {"EQX_GETKEY_SEED": "1234", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.strip() == "1234"
