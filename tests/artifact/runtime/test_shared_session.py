"""Graphs that differ in their own weights are run by one session; large tables are held once."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from payoff.artifact.runtime.graph_file import GraphFile
from payoff.artifact.runtime.own_weights import OwnWeights, own_weights
from payoff.artifact.runtime.session import open_session
from payoff.artifact.runtime.shared_session import SharedSession, n_sessions
from payoff.artifact.runtime.shared_tables import n_tables, shared_tables
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

SPEC = TierSpec("tiny", "tokens")
TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)
LARGE = np.random.default_rng(0).normal(size=(100_000, 3)).astype(np.float32)
IDS = np.array([[1, 3]], np.int64)


def graph(
    own: np.ndarray | None = None,
    *,
    table: np.ndarray = TABLE,
    constant: np.ndarray | None = None,
    kind: int = TensorProto.FLOAT,
    dims: tuple[int | str, ...] = (3, "n_labels"),
) -> bytes:
    """The rows of a table times a matrix, which is its own if it is given as such."""
    matrix = constant if own is None else own
    assert matrix is not None
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "length"])]
    if own is not None:
        inputs.append(helper.make_tensor_value_info("matrix", kind, dims))
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("MatMul", ["rows", "matrix"], ["out"]),
    ]
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", "length", "n_labels"])
    weights = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(matrix, "matrix")]
    made = helper.make_graph(nodes, "tiny", inputs, [out], weights)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def opened(content: bytes, threads: int = 1) -> Any:
    return open_session(SPEC, lambda _: content, threads, None)


def from_file(content: bytes, folder: Path) -> Any:
    @contextmanager
    def file(name: str) -> Iterator[Path]:
        path = folder / name
        path.write_bytes(content)
        yield path
        path.unlink()

    return open_session(SPEC, lambda _: content, 1, file)


def read(content: bytes) -> OwnWeights | None:
    return own_weights(GraphFile(memoryview(content)))


def ones(n_labels: int, value: float = 1.0) -> np.ndarray:
    return np.full((3, n_labels), value, np.float32)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    gc.collect()
    yield
    gc.collect()
    assert n_sessions() == n_tables() == 0


@pytest.mark.parametrize("as_file", [False, True])
def test_each_gives_what_it_would_alone(as_file: bool, tmp_path: Path) -> None:
    how: Callable[[bytes], Any] = (lambda c: from_file(c, tmp_path)) if as_file else opened
    one, two, wide = (how(graph(own)) for own in (ones(2), ones(2, 5.0), ones(4, -1.0)))
    assert n_sessions() == 1
    for session, matrix in ((one, ones(2)), (two, ones(2, 5.0)), (wide, ones(4, -1.0))):
        assert [put.name for put in session.get_inputs()] == ["ids"]
        (output,) = session.get_outputs()
        assert (output.name, output.shape) == ("out", ["n", "length", matrix.shape[1]])
        (found,) = session.run(["out"], {"ids": IDS})
        np.testing.assert_array_equal(found, TABLE[IDS] @ matrix)
    del one, two, session
    gc.collect()
    assert n_sessions() == 1, "the last one still uses it"
    np.testing.assert_array_equal(wide.run(None, {"ids": IDS})[0], TABLE[IDS] @ ones(4, -1.0))


def test_what_is_frozen_and_the_threads_tell_sessions_apart() -> None:
    kept = [
        opened(graph(ones(2))),
        opened(graph(ones(2), table=TABLE + 1)),
        opened(graph(ones(2)), threads=2),
        opened(graph(constant=ones(2))),
    ]
    assert n_sessions() == 3
    assert len({id(one) for one in kept}) == 4


def test_what_was_read_is_what_onnx_reads() -> None:
    own = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    found = read(graph(own))
    assert found is not None
    assert list(found.values) == ["matrix"]
    np.testing.assert_array_equal(found.values["matrix"], own)
    assert read(graph(constant=own)) is None


@pytest.mark.parametrize("way", ["packed and unpacked", "in another field", "in another file"])
def test_other_ways_to_write_the_same(way: str) -> None:
    model = onnx.load_from_string(graph(ones(2)))
    tensor = model.graph.initializer[1]
    if way == "packed and unpacked":  # onnx packs shapes; a repeated field may also be told singly
        plain = tensor.SerializeToString()
        packed = b"\x0a\x02\x03\x02"
        assert plain.count(packed) + plain.count(b"\x08\x03\x08\x02") == 1
        other = plain.replace(packed, b"\x08\x03\x08\x02")
        raw = graph(ones(2)).replace(plain, other)
        assert len(other) == len(plain)
        found = read(raw)
        assert found is not None
        assert found.values["matrix"].shape == (3, 2)
        return
    if way == "in another field":
        tensor.ClearField("raw_data")
        tensor.float_data.extend([1.0] * 6)
    else:
        tensor.data_location = TensorProto.EXTERNAL
    assert read(model.SerializeToString()) is None, "it is run by a session of its own"


@given(st.binary(max_size=60))
def test_what_is_no_graph_is_told_by_onnxruntime(content: bytes) -> None:
    with pytest.raises(ArtifactError, match="PF504 tier 'tiny'"):
        opened(content)


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_graph_cut_short_is_told(cut: int, tmp_path: Path) -> None:
    content = graph(ones(2))[:-cut]
    for how in (opened, lambda c: from_file(c, tmp_path)):
        with pytest.raises(ArtifactError, match="PF504"):
            how(content)
    with pytest.raises(ArtifactError, match="PF504"):
        from_file(b"", tmp_path)


def test_a_tensor_of_another_size_than_its_shape_is_told() -> None:
    model = onnx.load_from_string(graph(ones(2)))
    model.graph.initializer[1].dims[0] = 2**40
    with pytest.raises(ValueError, match="'matrix' has not the size"):
        read(model.SerializeToString())
    with pytest.raises(ArtifactError, match="PF504"):
        opened(model.SerializeToString())


def test_a_weight_of_another_shape_than_the_graph_wants_is_told() -> None:
    first = opened(graph(ones(2)))
    shared = first._session
    for wrong in (np.ones((4, 2), np.float32), np.ones(3, np.float32)):
        with pytest.raises(ValueError, match="weight 'matrix'"):
            SharedSession(shared, {"matrix": wrong})
    bad = onnx.load_from_string(graph(np.ones((4, 2), np.float32), dims=(3, "n_labels")))
    with pytest.raises(ArtifactError, match="PF504"):
        opened(bad.SerializeToString())


def test_a_table_is_held_once_from_the_second_model_on() -> None:
    """The first is opened as it ever was; those after it are the same arrays."""
    sessions = [opened(graph(constant=ones(n), table=LARGE)) for n in (2, 3, 4)]
    assert n_tables() == 1
    for session, n in zip(sessions, (2, 3, 4), strict=True):
        np.testing.assert_allclose(session.run(None, {"ids": IDS})[0], LARGE[IDS] @ ones(n))
    del sessions[0], session
    gc.collect()
    np.testing.assert_allclose(sessions[-1].run(None, {"ids": IDS})[0], LARGE[IDS] @ ones(4))


def test_tables_that_differ_are_not_taken_for_the_same() -> None:
    other = LARGE.copy()
    other[-1, -1] += 1  # beyond the sample that is looked at first
    one, two, again = (
        shared_tables(GraphFile(memoryview(graph(constant=ones(2), table=table))))["table"]
        for table in (LARGE, other, LARGE)
    )
    assert one is again
    np.testing.assert_array_equal(two, other)
    assert n_tables() == 1


def test_small_tables_and_matrices_are_left_alone() -> None:
    square = np.ones((600, 600), np.float32)
    model = onnx.load_from_string(graph(constant=square, table=np.ones((4, 600), np.float32)))
    assert shared_tables(GraphFile(memoryview(model.SerializeToString()))) == {}
