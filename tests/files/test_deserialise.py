import gzip
import io
import random
import tracemalloc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import equinox as eqx
from equinox._files.manifest import read_manifest
from tests.files.record_equinox import FILE, mixed_tree
from tests.files.stored import assert_same, blank, trees


def saved(tree: Any) -> io.BytesIO:
    file = io.BytesIO()
    eqx.tree_serialise_leaves(file, tree)
    file.seek(0)
    return file


@given(trees())
@settings(max_examples=150)
def test_every_tree_comes_back_to_the_bit(tmp_path_factory, tree):
    path = tmp_path_factory.getbasetemp() / "every-tree.eqx"
    like = jax.tree.map(blank, tree)
    eqx.tree_serialise_leaves(path, tree)
    with jax.enable_x64(True):
        assert_same(eqx.tree_deserialise_leaves(path, like), tree)
        assert_same(eqx.tree_deserialise_leaves(saved(tree), like), tree)
        loaded, report = eqx.tree_deserialise_leaves(path, like, strict=False)
    assert_same(loaded, tree)
    assert not report.missing
    assert not report.unexpected


def test_a_file_of_equinox_0_13_8_loads():
    assert_same(eqx.tree_deserialise_leaves(FILE, jax.tree.map(lambda x: x, mixed_tree())), mixed_tree())
    with FILE.open("rb") as file:
        assert_same(eqx.tree_deserialise_leaves(file, mixed_tree()), mixed_tree())


def test_an_open_file_is_read_from_its_current_position_on_and_stays_open_after_the_last_record():
    file = saved([1, 2])
    file.seek(0, io.SEEK_END)
    file.write(b"more")
    file.seek(0)
    assert eqx.tree_deserialise_leaves(file, 0) == 1
    assert eqx.tree_deserialise_leaves(file, 0) == 2
    assert file.read() == b"more"


def test_an_open_file_need_not_be_a_file_of_the_system(tmp_path):
    with gzip.open(tmp_path / "x.gz", "wb") as file:
        eqx.tree_serialise_leaves(file, [jnp.arange(3), 2])
    with gzip.open(tmp_path / "x.gz", "rb") as file:
        assert_same(eqx.tree_deserialise_leaves(file, [jnp.zeros(3, int), 0]), [jnp.arange(3), 2])


def test_a_file_at_a_path_can_be_read_open_too(tmp_path):
    eqx.tree_serialise_leaves(tmp_path / "x", mixed_tree())
    with (tmp_path / "x.eqx").open("rb") as file:
        assert_same(eqx.tree_deserialise_leaves(file, mixed_tree()), mixed_tree())


def test_a_missing_file_is_an_ordinary_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.eqx"):
        eqx.tree_deserialise_leaves(tmp_path / "nowhere", 1)


def test_what_is_not_stored_is_kept_and_not_compared(tmp_path):
    eqx.tree_serialise_leaves(tmp_path / "x", {"a": abs, "b": 1})
    assert eqx.tree_deserialise_leaves(tmp_path / "x", {"a": "text", "b": 0}) == {"a": "text", "b": 1}


def test_a_filter_spec_reads_its_part_of_the_tree(tmp_path):
    def negative(file, x):
        return -eqx.default_deserialise_filter_spec(file, x)

    eqx.tree_serialise_leaves(tmp_path / "x", {"a": [1, 2], "b": 3})
    spec = {"a": negative, "b": eqx.default_deserialise_filter_spec}
    assert eqx.tree_deserialise_leaves(tmp_path / "x", {"a": [0, 0], "b": 0}, spec) == {"a": [-1, -2], "b": 3}


def test_is_leaf_holds_on_loading_too(tmp_path):
    def write(file, x):
        np.save(file, np.array(x))

    def read(file, x):
        return np.load(file).tolist()

    def is_list(x):
        return type(x) is list

    eqx.tree_serialise_leaves(tmp_path / "x", ([1, 2], [3]), write, is_list)
    assert eqx.tree_deserialise_leaves(tmp_path / "x", ([], []), read, is_list) == ([1, 2], [3])


def test_a_filter_spec_that_is_no_prefix_or_no_function_is_an_error():
    with pytest.raises(ValueError, match=r"`filter_spec`.*`like`"):
        eqx.tree_deserialise_leaves(saved([1]), [1], (eqx.default_deserialise_filter_spec,))
    with pytest.raises(TypeError, match=r"`filter_spec`.*function"):
        eqx.tree_deserialise_leaves(saved([1]), [1], 2)


@pytest.mark.parametrize("at_a_path", [True, False])
def test_loading_inside_of_jit_reads_while_tracing(tmp_path, at_a_path):
    tree = {"a": jnp.arange(3.0), "key": jax.random.key(5), "n": 2}
    eqx.tree_serialise_leaves(tmp_path / "x", tree)

    @jax.jit
    def load(a, key):
        source = tmp_path / "x" if at_a_path else saved(tree)
        loaded = eqx.tree_deserialise_leaves(source, {"a": a, "key": key, "n": 0})
        assert not isinstance(loaded["a"], jax.core.Tracer)
        return loaded

    loaded = load(jnp.zeros(3), jax.random.key(0))
    np.testing.assert_array_equal(loaded["a"], [0.0, 1.0, 2.0])
    assert (jax.random.key_data(loaded["key"]) == jax.random.key_data(tree["key"])).all()


def test_names_are_needed_for_what_an_open_file_and_a_file_without_them_cannot_do():
    for source in (saved([1]), FILE):
        with pytest.raises(ValueError, match=r"`strict`.*no key paths"):
            eqx.tree_deserialise_leaves(source, mixed_tree() if source is FILE else [0], strict=False)
    with pytest.raises(ValueError, match=r"`renames`.*no key paths"):
        eqx.tree_deserialise_leaves(saved([1]), [0], renames={"[0]": lambda like: like[0]})


# What was saved, or an error.

CHECKPOINT = {"key": jax.random.key(1), "n": 3, "x": np.arange(3, dtype=np.float32)}
LIKE = {"key": jax.random.key(0), "n": 0, "x": np.zeros(3, np.float32)}


@pytest.fixture
def checkpoint(tmp_path) -> bytes:
    eqx.tree_serialise_leaves(tmp_path / "whole", CHECKPOINT)
    return (tmp_path / "whole.eqx").read_bytes()


def fails(path: Any, contents: bytes) -> bool:
    path.write_bytes(contents)
    try:
        eqx.tree_deserialise_leaves(path, LIKE)
    except RuntimeError as error:
        return str(path) in error.__notes__[0]
    return False


def test_a_checkpoint_cut_at_any_byte_is_an_error(tmp_path, checkpoint):
    assert [size for size in range(len(checkpoint)) if not fails(tmp_path / "cut.eqx", checkpoint[:size])] == []


def test_a_checkpoint_with_one_bit_flipped_is_an_error(tmp_path, checkpoint):
    loaded = []
    for position in random.Random(0).sample(range(8 * len(checkpoint)), 2_000):
        flipped = bytearray(checkpoint)
        flipped[position // 8] ^= 1 << position % 8
        if not fails(tmp_path / "flipped.eqx", bytes(flipped)):
            loaded.append(position)
    assert loaded == []


def test_a_checkpoint_with_bytes_changed_added_or_taken_out_anywhere_is_an_error(tmp_path, checkpoint):
    chance = random.Random(0)
    for _ in range(300):
        start, stop = sorted(chance.sample(range(len(checkpoint) + 1), 2))
        others = chance.randbytes(chance.choice([0, 1, stop - start, 100]))
        assert fails(tmp_path / "other.eqx", checkpoint[:start] + others + checkpoint[stop:])


def test_surplus_data_is_an_error(tmp_path, checkpoint):
    for surplus in (b"\0", b"\n", checkpoint):
        assert fails(tmp_path / "longer.eqx", checkpoint + surplus)
    (tmp_path / "plain.eqx").write_bytes(FILE.read_bytes() + b"\0\0")
    with pytest.raises(RuntimeError, match="goes on for 2 bytes after the last leaf"):
        eqx.tree_deserialise_leaves(tmp_path / "plain", mixed_tree())


def test_a_checkpoint_cut_where_the_records_end_is_not_taken_for_one_that_never_had_a_manifest(tmp_path, checkpoint):
    with (tmp_path / "whole.eqx").open("rb") as file:
        records = read_manifest(file)
    assert records is not None
    end = sum(record.size for record in records)
    (tmp_path / "cut.eqx").write_bytes(checkpoint[:end])
    with pytest.raises(RuntimeError, match=r"list of its leaves.*is not there"):
        eqx.tree_deserialise_leaves(tmp_path / "cut", LIKE)


def test_damage_names_the_leaf(tmp_path, checkpoint):
    damaged = checkpoint.replace(np.float32(2).tobytes(), np.float32(3).tobytes())
    assert damaged != checkpoint
    (tmp_path / "x.eqx").write_bytes(damaged)
    with pytest.raises(eqx.TreePathError, match=r"`\['x'\]`.*damaged") as caught:
        eqx.tree_deserialise_leaves(tmp_path / "x", LIKE)
    assert caught.value.path == (jax.tree_util.DictKey("x"),)


def test_damage_is_found_too_where_leaves_are_found_by_name(tmp_path, checkpoint):
    (tmp_path / "x.eqx").write_bytes(checkpoint.replace(np.float32(2).tobytes(), np.float32(3).tobytes()))
    with pytest.raises(eqx.TreePathError, match=r"`\['x'\]`.*damaged"):
        eqx.tree_deserialise_leaves(tmp_path / "x", LIKE, strict=False)


class Before(eqx.Module):
    first: jax.Array
    second: jax.Array


class Swapped(eqx.Module):
    second: jax.Array
    first: jax.Array


class Renamed(eqx.Module):
    first: jax.Array
    other: jax.Array


@pytest.fixture
def before(tmp_path) -> Any:
    eqx.tree_serialise_leaves(tmp_path / "before", Before(jnp.zeros(2), jnp.ones(2)))
    return tmp_path / "before"


def test_two_leaves_that_were_swapped_between_saving_and_loading_are_an_error(before):
    like = Swapped(jnp.zeros(2), jnp.zeros(2))
    with pytest.raises(eqx.TreePathError, match=r"`\.second`.*`\.first` next, not `\.second`.*order.*strict=False"):
        eqx.tree_deserialise_leaves(before, like)
    loaded, _ = eqx.tree_deserialise_leaves(before, like, strict=False)
    assert_same(loaded, Swapped(second=jnp.ones(2), first=jnp.zeros(2)))


def test_a_leaf_that_was_renamed_between_saving_and_loading_is_an_error(before):
    like = Renamed(jnp.zeros(2), jnp.zeros(2))
    with pytest.raises(eqx.TreePathError, match=r"`\.other`.*`\.second` next, not `\.other`.*renames"):
        eqx.tree_deserialise_leaves(before, like)
    loaded = eqx.tree_deserialise_leaves(before, like, renames={".second": lambda like: like.other})
    assert_same(loaded, Renamed(jnp.zeros(2), jnp.ones(2)))


def test_leaves_that_are_missing_or_unexpected_are_reported_where_they_may_be(before):
    like = {"first": jnp.full(2, 5.0), "static": abs}
    model, report = eqx.tree_deserialise_leaves(before, Renamed(jnp.full(2, 7.0), jnp.full(2, 7.0)), strict=False)
    assert_same(model, Renamed(jnp.zeros(2), jnp.full(2, 7.0)))
    assert report == eqx.LoadReport(matched=(".first",), missing=(".other",), unexpected=(".second",))
    tree, report = eqx.tree_deserialise_leaves(before, like, strict=False)
    assert_same(tree, like)
    assert report == eqx.LoadReport(matched=(), missing=("['first']",), unexpected=(".first", ".second"))


def test_a_leaf_of_another_shape_is_an_error_even_where_leaves_may_be_missing(before):
    with pytest.raises(eqx.TreePathError, match=r"Deserialised leaf at path .*`\.first`.*\(2,\).*\(3,\)"):
        eqx.tree_deserialise_leaves(before, Before(jnp.zeros(3), jnp.zeros(2)), strict=False)


@pytest.mark.parametrize(
    ("save", "load"),
    [(eqx.tree_serialise_leaves, eqx.tree_deserialise_leaves), (eqx.save_safetensors, eqx.load_safetensors)],
    ids=["eqx", "safetensors"],
)
def test_loading_takes_no_more_memory_than_what_is_loaded(tmp_path, save, load):
    tree = [np.ones(500_000), np.ones(500_000), np.ones(500_000)]
    like = [np.empty(500_000) for _ in tree]
    save(tmp_path / "x", tree)
    tracemalloc.start()
    try:
        loaded = load(tmp_path / "x", like)
        assert tracemalloc.get_traced_memory()[1] < sum(array.nbytes for array in loaded) + 3_000_000
    finally:
        tracemalloc.stop()
