import io
import os
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox._files.manifest import Record, read_manifest
from tests.files.folders import names_in
from tests.files.record_equinox import FILE, mixed_tree


def save_bytes(tree: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, tree, **options)
    assert not file.closed
    assert file.tell() == len(file.getvalue())
    return file.getvalue()


def records_of(path: pathlib.Path) -> tuple[Record, ...]:
    with path.open("rb") as file:
        records = read_manifest(file)
    assert records is not None
    return records


def test_an_open_file_gets_byte_for_byte_what_equinox_0_13_8_writes():
    assert save_bytes(mixed_tree()) == FILE.read_bytes()


def test_an_open_file_is_written_from_its_current_position_on_and_stays_there():
    file = io.BytesIO()
    file.write(b"a line before\n")
    eqx.tree_serialise_leaves(file, [1.5])
    assert file.getvalue() == b"a line before\n" + save_bytes([1.5])
    file.write(b"and after")
    assert file.getvalue().endswith(b"and after")


def test_leaves_are_written_depth_first_and_dictionaries_in_the_order_of_their_keys():
    assert save_bytes({"b": [1, (2,)], "a": 0}) == b"".join(save_bytes(leaf) for leaf in (0, 1, 2))


def test_what_numpy_can_load_record_by_record_is_what_a_file_at_a_path_starts_with(tmp_path):
    eqx.tree_serialise_leaves(tmp_path / "model", mixed_tree())
    with (tmp_path / "model.eqx").open("rb") as ours, FILE.open("rb") as theirs:
        while theirs.tell() < FILE.stat().st_size:
            a, b = np.load(ours), np.load(theirs)
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()
            assert ours.tell() == theirs.tell()


@pytest.mark.parametrize("of", [str, pathlib.Path, os.fsencode], ids=["str", "Path", "bytes"])
def test_every_kind_of_path_is_one(tmp_path, of):
    path = of(str(tmp_path / "model"))
    eqx.tree_serialise_leaves(path, 1)
    assert names_in(tmp_path) == ["model.eqx"]
    assert eqx.tree_deserialise_leaves(path, 0) == 1


def test_an_object_that_names_a_path_is_one(tmp_path):
    class Named:
        def __fspath__(self) -> str:
            return str(tmp_path / "model.ckpt")

    eqx.tree_serialise_leaves(Named(), 1)
    assert names_in(tmp_path) == ["model.ckpt"]


def test_the_manifest_describes_each_leaf_by_its_key_path(tmp_path):
    tree = {
        "a": jnp.ones((2, 3), jnp.bfloat16),
        "b": [np.ones(2, ">f4"), 1, jax.random.key(0)],
        "c": abs,
        "d": np.ones(1, "i4,f8"),
        "e": np.float32(1),
    }
    eqx.tree_serialise_leaves(tmp_path / "x", tree)
    described = [(record.path, record.kind, record.shape, record.dtype) for record in records_of(tmp_path / "x.eqx")]
    assert described == [
        ("['a']", "JAX array", (2, 3), "bfloat16"),
        ("['b'][0]", "NumPy array", (2,), ">f4"),
        ("['b'][1]", "number", (), "int64"),
        ("['b'][2]", "PRNG key", (), "key<fry>"),
        ("['d']", "NumPy array", (1,), "[('f0', '<i4'), ('f1', '<f8')]"),
        ("['e']", "number", (), "float32"),
    ]


def test_the_manifest_describes_what_a_filter_spec_has_written(tmp_path):
    def as_float64(file, x):
        np.save(file, np.asarray(x, np.float64))

    def as_text(file, x):
        file.write(b"some text")

    eqx.tree_serialise_leaves(tmp_path / "x", [jnp.ones(2), jnp.ones(2)], [as_float64, as_text])
    first, second = records_of(tmp_path / "x.eqx")
    assert (first.kind, first.shape, first.dtype) == ("JAX array", (2,), "float64")
    assert (second.kind, second.shape, second.dtype, second.size) == ("other", None, None, 9)


def test_a_filter_spec_gets_a_real_file_for_a_path(tmp_path):
    def direct(file, x):
        x.tofile(file)

    eqx.tree_serialise_leaves(tmp_path / "x", [np.arange(3), np.arange(4)], direct)
    assert [record.size for record in records_of(tmp_path / "x.eqx")] == [24, 32]
    load = eqx.tree_deserialise_leaves(
        tmp_path / "x", [np.arange(3), np.arange(4)], lambda file, x: np.fromfile(file, x.dtype, x.size)
    )
    np.testing.assert_array_equal(load[1], np.arange(4))


def test_a_filter_spec_may_be_a_prefix_and_stop_early():
    def nothing(file, x):
        return "ignored"

    spec = {"a": nothing, "b": eqx.default_serialise_filter_spec}
    assert save_bytes({"a": [1, 2], "b": (3, [4])}, filter_spec=spec) == save_bytes([3, 4])


def test_a_filter_spec_that_is_no_prefix_is_an_error_that_names_both():
    with pytest.raises(ValueError, match=r"`filter_spec`.*`tuple`.*`pytree`.*`list`"):
        save_bytes([1], filter_spec=(eqx.default_serialise_filter_spec,))


def test_a_filter_spec_that_is_no_function_is_named():
    with pytest.raises(TypeError, match=r"argument `filter_spec`, leaf `\['a'\]`: .*3.*function"):
        save_bytes({"a": 1}, filter_spec={"a": 3})


def test_is_leaf_says_which_nodes_are_leaves():
    def write(file, x):
        file.write(repr(x).encode())

    assert save_bytes([[1, 2], None], filter_spec=write, is_leaf=lambda x: x is None or x == [1, 2]) == b"[1, 2]None"


def test_an_error_at_a_leaf_names_it_and_keeps_its_cause():
    tree = [1, {"a": np.array(["text", None], object)}]
    with pytest.raises(
        eqx.TreePathError, match=r"Error at leaf with path \(SequenceKey\(idx=1\), DictKey\(key='a'\)\)"
    ) as caught:
        save_bytes(tree)
    assert caught.value.path == (jax.tree_util.SequenceKey(1), jax.tree_util.DictKey("a"))
    assert isinstance(caught.value.__cause__, TypeError)
    assert "pickle" in str(caught.value)


def test_the_path_of_an_error_below_a_prefix_is_the_whole_one():
    def fail(file, x):
        raise KeyError("some reason")

    with pytest.raises(eqx.TreePathError, match="some reason") as caught:
        save_bytes({"a": [1, 2]}, filter_spec={"a": fail})
    assert caught.value.path == (jax.tree_util.DictKey("a"), jax.tree_util.SequenceKey(0))


def test_an_error_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "model.eqx"
    eqx.tree_serialise_leaves(path, [1, 2])
    with pytest.raises(eqx.TreePathError):
        eqx.tree_serialise_leaves(path, [3, object_array()])
    assert eqx.tree_deserialise_leaves(path, [0, 0]) == [1, 2]
    assert names_in(tmp_path) == ["model.eqx"]


def object_array() -> Any:
    return np.array([{}], object)


def test_values_inside_of_jit_cannot_be_saved():
    @jax.jit
    def save(x):
        with pytest.raises(eqx.TreePathError, match=r"`\[0\]`"):
            save_bytes([x])
        return x

    save(1.0)
    save(jax.random.key(0))


def test_a_path_that_is_no_file_gets_the_data_alone(tmp_path):
    pipe = tmp_path / "pipe.eqx"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        eqx.tree_serialise_leaves(pipe, [1, 2.5])
        assert os.read(reader, 10_000) == save_bytes([1, 2.5])
    finally:
        os.close(reader)
    assert names_in(tmp_path) == ["pipe.eqx"]


def test_a_tree_without_arrays_is_a_file_too(tmp_path):
    eqx.tree_serialise_leaves(tmp_path / "x", {"a": abs, "b": None})
    assert records_of(tmp_path / "x.eqx") == ()
    assert eqx.tree_deserialise_leaves(tmp_path / "x", {"a": len, "b": None}) == {"a": len, "b": None}
