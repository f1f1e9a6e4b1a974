import json

import jax
import jax.numpy as jnp
import pytest

from equinox._tree.sizes import count_bytes, count_parameters, list_structs, readable_bytes

ARRAYS = [jnp.ones((2, 3)), jnp.ones((), jnp.complex64), jnp.ones(5, jnp.int8), jnp.ones(2, jnp.bfloat16)]


def test_parameters_are_the_numbers_in_floating_point_and_complex_arrays() -> None:
    assert count_parameters(ARRAYS) == 6 + 1 + 2


def test_bytes_are_those_of_all_arrays() -> None:
    assert count_bytes(ARRAYS) == 24 + 8 + 5 + 4


def test_arrays_need_not_exist_to_be_counted() -> None:
    struct = jax.ShapeDtypeStruct((10**6, 10**6), jnp.float32)
    assert (count_parameters([struct]), count_bytes([struct])) == (10**12, 4 * 10**12)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3 * 2**20, "3.0 MiB"),
        (2**30, "1.0 GiB"),
        (2**52, "4096.0 TiB"),
    ],
)
def test_a_number_of_bytes_has_a_unit_that_suits_it(size: int, text: str) -> None:
    assert readable_bytes(size) == text


def test_structs_are_listed_for_programs() -> None:
    tree = {"a": [jax.ShapeDtypeStruct((2, 3), jnp.float32), "text"], "b": None}
    assert json.loads(json.dumps(list_structs(tree))) == [{"path": "['a'][0]", "shape": [2, 3], "dtype": "float32"}]
