import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx
from equinox._files.leaf_specs import LeafSpec
from equinox._files.loading import check_alike, make_leaf
from equinox._files.manifest import Record, write_manifest

PATH = (jax.tree_util.SequenceKey(1), jax.tree_util.DictKey("a"))


@pytest.mark.parametrize(
    ("value", "like", "words"),
    [
        (jnp.ones(2), np.ones(2), "JAX array.*NumPy array"),
        (np.ones(2), jnp.ones(2), "NumPy array.*JAX array"),
        (np.ones(2), jax.ShapeDtypeStruct((2,), "float32"), "NumPy array.*ShapeDtypeStruct"),
        (1, True, "int.*bool"),
        (np.float32(1), np.float64(1), "float32.*float64"),
        (np.ones(()), 1.0, "NumPy array.*float"),
        (None, abs, "NoneType.*builtin"),
        (jnp.ones(2), jnp.ones(3, int), r"shape \(2,\).*shape \(3,\)"),
        (jnp.ones(2), jnp.ones(2, int), "dtype float32.*dtype int32"),
        (np.ones(2, "<f4"), np.ones(2, ">f4"), "dtype float32.*dtype >f4"),
        (jax.random.key(0), jax.random.key(0, impl="rbg"), "key<fry>.*key<rbg>"),
    ],
)
def test_a_leaf_that_is_not_like_the_one_that_is_expected_is_an_error_that_names_both(value, like, words):
    with pytest.raises(eqx.TreePathError, match="Deserialised leaf at path") as caught:
        check_alike(value, like, PATH)
    assert caught.value.path == PATH
    assert "Deserialised leaf at path (SequenceKey(idx=1), DictKey(key='a'))" in str(caught.value)
    with pytest.raises(eqx.TreePathError, match=words):
        check_alike(value, like, PATH)


@pytest.mark.parametrize(
    ("value", "like"),
    [
        (jnp.ones(2), jnp.zeros(2)),
        (jnp.ones(2), jax.ShapeDtypeStruct((2,), "float32")),
        (np.ones(2), np.zeros(2)),
        (2, 1),
        (abs, len),
    ],
)
def test_a_leaf_that_is_like_the_one_that_is_expected_is_right(value, like):
    check_alike(value, like, PATH)


def test_whatever_goes_wrong_at_a_leaf_names_it_and_is_the_cause():
    def fail(target):
        raise ZeroDivisionError("some reason")

    with pytest.raises(eqx.TreePathError, match="some reason") as caught:
        make_leaf(LeafSpec(PATH, None, 1), fail)
    assert caught.value.path == PATH
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def default(file, x):
    return eqx.default_deserialise_filter_spec(file, x)


def half(file, x):
    file.read(20)
    return x


def nothing(file, x):
    return x


def test_a_filter_spec_that_reads_another_number_of_bytes_than_were_written_is_named(tmp_path):
    eqx.tree_serialise_leaves(tmp_path / "x", {"a": 1, "b": 2})
    with pytest.raises(eqx.TreePathError, match=r"`\['a'\]`.*read 20 bytes, and 136"):
        eqx.tree_deserialise_leaves(tmp_path / "x", {"a": 0, "b": 0}, {"a": half, "b": default})
    with pytest.raises(eqx.TreePathError, match=r"`\['a'\]`.*in the file, and not read"):
        eqx.tree_deserialise_leaves(tmp_path / "x", {"a": 0, "b": 0}, {"a": nothing, "b": default})


def test_leaves_that_are_in_the_file_and_not_in_the_tree_are_an_error_that_lists_them(tmp_path):
    eqx.tree_serialise_leaves(tmp_path / "x", {"a": 1, "b": 2, "c": 3})
    with pytest.raises(RuntimeError, match=r"`\['b'\]`, `\['c'\]`.*strict=False"):
        eqx.tree_deserialise_leaves(tmp_path / "x", {"a": 0})


def test_leaves_that_are_in_the_tree_and_not_in_the_file_are_an_error_that_names_the_first(tmp_path):
    eqx.tree_serialise_leaves(tmp_path / "x", {"a": 1})
    with pytest.raises(eqx.TreePathError, match=r"`\['b'\]`.*no more leaves"):
        eqx.tree_deserialise_leaves(tmp_path / "x", {"a": 0, "b": 0, "c": 0})


def test_a_file_without_a_manifest_that_ends_early_names_the_first_leaf_that_is_missing(tmp_path):
    with (tmp_path / "x.eqx").open("wb") as file:
        eqx.tree_serialise_leaves(file, {"a": 1})
    with pytest.raises(eqx.TreePathError, match=r"`\['b'\]`.*too early"):
        eqx.tree_deserialise_leaves(tmp_path / "x", {"a": 0, "b": 0})


def test_a_name_that_is_there_twice_cannot_be_found_by_name(tmp_path):
    record = io.BytesIO()
    np.save(record, 1)
    entry = Record("a", "number", (), "int64", len(record.getvalue()), 0)
    with (tmp_path / "x.eqx").open("wb") as file:
        file.write(2 * record.getvalue())
        write_manifest(file, [entry, entry])
    with pytest.raises(RuntimeError, match="two leaves with the key path `a`"):
        eqx.tree_deserialise_leaves(tmp_path / "x", {"a": 0}, strict=False)


def test_leaves_are_found_by_name_in_any_order_and_read_where_there_is_something_to_read(tmp_path):
    eqx.tree_serialise_leaves(tmp_path / "x", {"a": jnp.ones(3), "b": np.arange(2), "c": 5})
    like = [0, np.zeros(2, int), abs]
    loaded, report = eqx.tree_deserialise_leaves(
        tmp_path / "x",
        like,
        strict=False,
        renames={"['c']": lambda like: like[0], "['b']": lambda like: like[1], "['a']": lambda like: like[2]},
    )
    assert loaded[0] == 5
    assert loaded[1].tolist() == [0, 1]
    assert loaded[2] is abs
    assert report == eqx.LoadReport(matched=("[0]", "[1]"), missing=(), unexpected=("['a']",))
