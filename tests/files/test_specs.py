import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import equinox as eqx


def saved(leaf) -> io.BytesIO:
    file = io.BytesIO()
    eqx.default_serialise_filter_spec(file, leaf)
    file.seek(0)
    return file


def test_what_is_not_stored_writes_and_reads_nothing():
    for leaf in ("text", abs, jax.ShapeDtypeStruct((), float)):
        assert not saved(leaf).getvalue()
    for leaf in ("text", abs):
        file = io.BytesIO(b"something")
        assert eqx.default_deserialise_filter_spec(file, leaf) is leaf
        assert file.tell() == 0


def test_the_record_of_a_jax_array_can_be_read_as_anything_it_can_be():
    def load(like):
        return eqx.default_deserialise_filter_spec(saved(jnp.float32(1.5)), like)

    for like in (
        jnp.zeros(()),
        np.zeros(()),
        np.float32(0),
        np.float64(0),
        0.0,
        0j,
        jax.ShapeDtypeStruct((), "float32"),
    ):
        loaded = load(like)
        assert loaded == 1.5
        assert isinstance(loaded, jax.Array) if isinstance(like, jax.ShapeDtypeStruct) else type(loaded) is type(like)


def test_numpy_arrays_never_become_jax_arrays():
    assert type(eqx.default_deserialise_filter_spec(saved(jnp.ones(2)), np.zeros(2))) is np.ndarray


def test_shape_and_dtype_are_those_of_the_record():
    loaded = eqx.default_deserialise_filter_spec(saved(jnp.ones((2, 3), "int32")), jnp.zeros(4))
    assert (loaded.shape, loaded.dtype) == ((2, 3), "int32")


def test_a_number_that_would_lose_information_is_an_error():
    with pytest.raises(ValueError, match=r"1\.5"):
        eqx.default_deserialise_filter_spec(saved(1.5), 1)


def test_there_is_no_way_to_load_a_pickle():
    file = io.BytesIO()
    np.save(file, np.array([{}], object), allow_pickle=True)
    for like in (np.array([{}], object), jnp.zeros(1), 1, object()):
        file.seek(0)
        if isinstance(like, (np.ndarray, jax.Array, int)):
            with pytest.raises(ValueError, match="pickle"):
                eqx.default_deserialise_filter_spec(file, like)
        else:
            assert eqx.default_deserialise_filter_spec(file, like) is like


def test_own_specs_can_fall_back_on_the_default_where_the_file_knows_dtypes(tmp_path):
    def save(file, x):
        eqx.default_serialise_filter_spec(file, x)

    def load_as_float32(file, x):
        stored = jax.ShapeDtypeStruct(x.shape, "float8_e4m3fn")
        return eqx.default_deserialise_filter_spec(file, stored).astype(x.dtype)

    eqx.tree_serialise_leaves(tmp_path / "x", [jnp.ones(2, "float8_e4m3fn")], save)
    (loaded,) = eqx.tree_deserialise_leaves(tmp_path / "x", [jnp.zeros(2, "float8_e5m2")], load_as_float32)
    assert (loaded.dtype, loaded.tolist()) == ("float8_e5m2", [1.0, 1.0])
    with pytest.raises(RuntimeError, match=r"float8_e4m3fn.*float8_e5m2"):
        eqx.tree_deserialise_leaves(tmp_path / "x", [jnp.zeros(2, "float8_e5m2")])
