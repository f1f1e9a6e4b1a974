"""Leaves are loaded straight to where they are to be.

The checks need four devices, which XLA makes out of one CPU when it is asked to before it starts. So this file, run as
a program, runs those checks, which pytest then looks at.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, SingleDeviceSharding
from jax.sharding import PartitionSpec as P

import equinox as eqx

TREE: dict[str, Any] = {
    "a": jnp.arange(8.0),
    "b": [jnp.ones((4, 2), "bfloat16"), np.arange(3), 2.5],
    "key": jax.random.key(7),
}
FORMATS: dict[str, tuple[Callable[..., None], Callable[..., Any]]] = {
    "eqx": (eqx.tree_serialise_leaves, eqx.tree_deserialise_leaves),
    "safetensors": (eqx.save_safetensors, eqx.load_safetensors),
}
formats = pytest.mark.parametrize(("save", "load"), FORMATS.values(), ids=FORMATS)


@pytest.fixture
def here() -> SingleDeviceSharding:
    return SingleDeviceSharding(jax.devices("cpu")[0])


@formats
def test_jax_arrays_get_the_sharding_and_other_leaves_none(tmp_path, here, save, load):
    save(tmp_path / "x", TREE)
    loaded = load(tmp_path / "x", TREE, shardings=here)
    for leaf in (loaded["a"], loaded["b"][0], loaded["key"]):
        assert leaf.committed
        assert leaf.sharding == here
    assert type(loaded["b"][1]) is np.ndarray
    assert type(loaded["b"][2]) is float


@formats
def test_shardings_may_be_a_prefix_in_which_none_is_the_default(tmp_path, here, save, load):
    save(tmp_path / "x", TREE)
    loaded = load(tmp_path / "x", TREE, shardings={"a": None, "b": here, "key": None})
    assert not loaded["a"].committed
    assert loaded["b"][0].committed


@formats
def test_shardings_that_are_no_prefix_or_no_shardings_are_an_error(tmp_path, save, load):
    save(tmp_path / "x", TREE)
    with pytest.raises(ValueError, match=r"argument `shardings`.*`like`"):
        load(tmp_path / "x", TREE, shardings={"a": None})
    with pytest.raises(TypeError, match=r"argument `shardings`, leaf `\['a'\]`: .*3.*Sharding"):
        load(tmp_path / "x", TREE, shardings={"a": 3, "b": None, "key": None})


def test_a_description_may_have_its_own_sharding(tmp_path, here):
    eqx.tree_serialise_leaves(tmp_path / "x", [jnp.ones(2)])
    (loaded,) = eqx.tree_deserialise_leaves(tmp_path / "x", [jax.ShapeDtypeStruct((2,), "float32", sharding=here)])
    assert loaded.committed


def test_what_a_filter_spec_returns_is_put_where_it_is_to_be(tmp_path, here):
    def load(file, x):
        assert isinstance(x, jax.ShapeDtypeStruct)
        return jnp.load(file)

    eqx.tree_serialise_leaves(tmp_path / "x", [jnp.ones(2)])
    (loaded,) = eqx.tree_deserialise_leaves(tmp_path / "x", [jnp.zeros(2)], load, shardings=here)
    assert loaded.committed


def test_a_leaf_that_is_not_in_the_file_stays_where_it_is(tmp_path, here):
    eqx.tree_serialise_leaves(tmp_path / "x", {"a": jnp.ones(2)})
    like = {"a": jnp.zeros(2), "b": jnp.zeros(2)}
    loaded, _ = eqx.tree_deserialise_leaves(tmp_path / "x", like, strict=False, shardings=here)
    assert loaded["b"] is like["b"]
    assert loaded["a"].committed


def check_on_four_devices(folder: pathlib.Path) -> None:
    mesh = Mesh(np.array(jax.devices()), ("d",))
    split, copied = NamedSharding(mesh, P("d")), NamedSharding(mesh, P())
    for name, (save, load) in FORMATS.items():
        save(folder / name, TREE)
        loaded = load(folder / name, TREE, shardings={"a": split, "b": split, "key": copied})
        assert loaded["a"].sharding == split
        assert [shard.data.tolist() for shard in loaded["a"].addressable_shards] == [[0, 1], [2, 3], [4, 5], [6, 7]]
        assert {shard.data.shape for shard in loaded["b"][0].addressable_shards} == {(1, 2)}
        assert loaded["key"].sharding.is_equivalent_to(copied, 0)
        # What is spread over devices can be saved as well, and is the same.
        save(folder / f"{name}-again", loaded)
        assert (folder / f"{name}-again").with_suffix(f".{name}").read_bytes() == (folder / name).with_suffix(
            f".{name}"
        ).read_bytes()


def test_arrays_are_spread_over_devices():
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", "from tests.files.test_shardings import main; main()"]
    root = pathlib.Path(__file__).parents[2]
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "4 devices"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        check_on_four_devices(pathlib.Path(folder))
    print(len(jax.devices()), "devices")  # noqa: T201
