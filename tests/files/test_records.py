import io
import pickle
import struct

import ml_dtypes
import numpy as np
import pytest

from equinox._files.records import is_extension_dtype, is_plain_void, read_header, read_record, write_record


def written(array) -> bytes:
    file = io.BytesIO()
    write_record(file, array)
    return file.getvalue()


def by_numpy(array, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def record(header: bytes, data: bytes = b"", version: bytes = b"\x01\x00") -> io.BytesIO:
    length = struct.pack("<H" if version[0] == 1 else "<I", len(header))
    return io.BytesIO(b"\x93NUMPY" + version + length + header + data)


ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(6).reshape(2, 3)),
    np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    np.array(1.5),
    np.zeros((0, 3)),
    np.array(["text", ""]),
    np.array([b"bytes"]),
    np.zeros(2, "U0"),
    np.ones(2, [("a", "i4"), ("b", ">f8")]),
    np.array([1], "M8[ns]"),
    np.ones(3, ">c8"),
    np.ones(2, "V3"),
    np.ones(1, [("\N{GREEK SMALL LETTER PI}", "f4")]),
    np.ones(1, [(f"{'name' * 20}{i}", "f4") for i in range(50)]),
    np.ones(300_000),
]


@pytest.mark.filterwarnings("ignore:Stored array in format")
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype.str}{array.shape}")
def test_records_are_those_of_numpy(array):
    assert written(array) == by_numpy(array)
    restored = read_record(io.BytesIO(written(array)))
    assert restored.dtype == array.dtype
    assert restored.shape == array.shape
    assert restored.tobytes() == array.tobytes()
    assert restored.flags.writeable
    assert restored.flags.f_contiguous == array.flags.f_contiguous


def test_a_dtype_that_a_library_has_added_comes_back_as_bytes():
    for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, ml_dtypes.int4, ml_dtypes.float4_e2m1fn):
        array = np.arange(3).astype(dtype)
        restored = read_record(io.BytesIO(written(array)))
        assert is_extension_dtype(array.dtype)
        assert is_plain_void(restored.dtype)
        assert restored.tobytes() == array.tobytes()


def test_a_record_that_numpy_writes_and_cannot_read_is_read():
    array = np.array([1.0, 2.0], ml_dtypes.float8_e5m2)
    assert b"<f1" in by_numpy(array)
    assert read_record(io.BytesIO(by_numpy(array))).tobytes() == array.tobytes()


def test_only_bytes_without_a_meaning_are_plain():
    assert is_plain_void(np.dtype("V2"))
    for dtype in ("i4,i4", "f4", ml_dtypes.bfloat16):
        assert not is_plain_void(np.dtype(dtype))


def test_a_record_is_read_up_to_its_end_and_no_further():
    file = io.BytesIO(written(np.arange(3)) + b"more")
    read_record(file)
    assert file.read() == b"more"


def test_a_file_that_can_only_be_written_gets_a_record():
    class OnlyWritable:
        def __init__(self):
            self.parts = []

        def write(self, data):
            self.parts.append(bytes(data))

    file = OnlyWritable()
    write_record(file, np.arange(3))
    assert b"".join(file.parts) == written(np.arange(3))


@pytest.mark.parametrize(
    "array",
    [np.array([{}], object), np.zeros(1, [("a", object)]), np.array(["a"], np.dtypes.StringDType())],
    ids=["objects", "field", "strings"],
)
def test_python_objects_are_not_written(array):
    file = io.BytesIO()
    with pytest.raises(TypeError, match="only pickle could write"):
        write_record(file, array)
    assert not file.getvalue()


class Trap:
    def __reduce__(self):
        return pytest.fail, ("a pickle was loaded",)


def test_python_objects_are_not_read():
    pickled = by_numpy(np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(ValueError, match="only pickle could read"):
        read_record(io.BytesIO(pickled))
    with pytest.raises(ValueError, match="no record starts here"):
        read_record(io.BytesIO(pickle.dumps(Trap())))


def test_a_record_cut_at_any_byte_is_an_error():
    whole = written(np.arange(5, dtype=np.int8))
    for size in range(len(whole)):
        with pytest.raises(EOFError, match="too early"):
            read_record(io.BytesIO(whole[:size]))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (b"", "cannot be understood"),
        (b"nothing", "cannot be understood"),
        (b"[1, 2]", "cannot be understood"),
        (b"{'descr': '<f4'}", "cannot be understood"),
        (b"{'descr': 'no dtype', 'fortran_order': False, 'shape': ()}", "cannot be understood"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': 3}", "no shape"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': [3]}", "no shape"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "no shape"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (1.0,)}", "no shape"),
        (b"{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}", "no shape"),
        (b"__import__('os').abort()", "cannot be understood"),
        (5_000 * b"(", "cannot be understood"),
        (b"{" + 10_001 * b" " + b"}", "10003 bytes long, and cannot be more"),
    ],
)
def test_a_header_that_is_wrong_is_an_error(header, words):
    with pytest.raises(ValueError, match=words):
        read_header(record(header))


def test_a_header_of_a_later_version_than_numpy_has_is_no_record():
    with pytest.raises(ValueError, match="no record starts here"):
        read_header(record(b"{}", version=b"\x04\x00"))


def test_an_array_that_is_not_there_takes_no_memory():
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,)}"
    with pytest.raises((EOFError, MemoryError)):
        read_record(record(header % 2**33))
    with pytest.raises((ValueError, MemoryError)):
        read_record(record(header % 2**62))
