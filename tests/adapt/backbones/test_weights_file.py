from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from payoff.adapt.backbones.weights_file import count_parameters, read_weights, write_weights
from payoff.core.errors import BackboneError

ARRAYS = {
    "z": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.linspace(-1, 1, 5).astype(np.float16),
    "m": np.array(3.5),
    "none": np.zeros((0, 4), np.float32),
}


def test_what_is_written_is_read_by_the_library_and_back(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    write_weights(tmp_path / "ours", ARRAYS)
    library.save_file(ARRAYS, tmp_path / "theirs")
    for found in (library.load_file(tmp_path / "ours"), read_weights(tmp_path / "theirs")):
        assert set(found) == set(ARRAYS)
        for name, expected in ARRAYS.items():
            assert found[name].dtype == expected.dtype
            np.testing.assert_array_equal(found[name], expected)
    assert count_parameters(tmp_path / "ours") == count_parameters(tmp_path / "theirs") == 12


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    write_weights(tmp_path / "one", ARRAYS)
    write_weights(tmp_path / "two", dict(reversed(ARRAYS.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_other_dtypes_are_told_and_integers_are_no_weights(tmp_path: Path) -> None:
    header = {
        "ids": {"dtype": "I64", "shape": [2], "data_offsets": [0, 16]},
        "w": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "mixed"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(22))
    assert count_parameters(path) == 3
    with pytest.raises(BackboneError, match=r"PF304 .*dtype I64"):
        read_weights(path)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut"
    write_weights(path, ARRAYS)
    whole = path.read_bytes()
    for length in (0, 7, 40, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(BackboneError, match="PF304"):
            read_weights(path)


TENSORS = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "I64", 7, None]),
        "shape": st.lists(st.integers(-1, 4), max_size=2),
        "data_offsets": st.lists(st.integers(-2, 12), min_size=1, max_size=3),
    }
)
HEADERS = st.dictionaries(st.sampled_from("ab"), TENSORS, max_size=2) | st.recursive(
    st.none() | st.integers(-5, 50) | st.sampled_from(["F32", "F16", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | HEADERS.map(lambda header: json.dumps(header).encode()))
def test_garbage_is_read_or_refused_but_never_crashes(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "garbage"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(8))
    try:
        n_parameters = count_parameters(path)
        arrays = read_weights(path)
    except BackboneError:
        return
    assert sum(array.size for array in arrays.values()) == n_parameters
