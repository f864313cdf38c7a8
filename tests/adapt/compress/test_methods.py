"""What each compressor of an encoder does to its graph, beside what all promise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.adapt.compress.test_int8 import logits
from tests.adapt.tiny_backbones import messages

from payoff.adapt.compress import compress_by
from payoff.adapt.compress.activations import MOST_TEXTS, moments, ranges
from payoff.adapt.compress.encoder_graph import EncoderGraph
from payoff.adapt.compress.int4 import levels_of
from payoff.adapt.compress.low_rank import factors
from payoff.adapt.compress.opened_attention import open_attention
from payoff.adapt.compress.sparse import sparse
from payoff.adapt.export.tokens_tier import write_encoder_tier
from payoff.adapt.recipes.linear import LinearHead
from payoff.artifact.runtime import open_tier
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError

Tier = tuple[TierSpec, Path, list[str]]


@pytest.fixture
def mpnet(make_bench: Callable[..., Any], mpnet_folder: Path, tmp_path: Path) -> Tier:
    """An encoder whose attention has a bias of scores, by head."""
    texts, targets = messages([20, 20])
    opened = make_bench(texts, targets, [mpnet_folder]).opened(str(mpnet_folder))
    rng = np.random.default_rng(0)
    head = LinearHead(rng.normal(size=(2, 32)).astype(np.float32), np.zeros(2, np.float32))
    folder = tmp_path / "mpnet"
    return (
        write_encoder_tier(opened, opened.encoder.layers, head, folder, name="tiny"),
        folder,
        texts,
    )


def graph_of(folder: Path) -> EncoderGraph:
    return EncoderGraph(onnx.load(folder / "model.onnx"))


def operators(folder: Path) -> list[str]:
    return [node.op_type for node in graph_of(folder).nodes]


def attribute(node: Any, name: str) -> Any:
    return onnx.helper.get_attribute_value(next(a for a in node.attribute if a.name == name))


def test_attention_taken_apart_says_the_same(tier: Tier, mpnet: Tier, tmp_path: Path) -> None:
    for spec, folder, texts in (tier, mpnet):
        graph = graph_of(folder)
        open_attention(graph)
        onnx.save(graph.model, tmp_path / "model.onnx")
        (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
        assert "Attention" not in operators(tmp_path)
        np.testing.assert_allclose(
            logits(spec, tmp_path, texts), logits(spec, folder, texts), atol=1e-5
        )


class TestActivations:
    def test_moments_and_ranges_are_those_of_the_tokens(self, tier: Tier) -> None:
        """Of the embeddings, which can be reckoned here; padding is left out."""
        spec, folder, texts = tier
        graph = graph_of(folder)
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        words, places = graph.array("words"), graph.array("positions")
        assert words is not None
        assert places is not None
        rows = np.concatenate(
            [words[ids] + places[: len(ids)] for ids in (tokenizer.encode(t).ids for t in texts)]
        ).astype(np.float64)
        found = moments(graph, spec, folder, texts, ["embedded"])["embedded"]
        np.testing.assert_allclose(found.mean, rows.mean(0), atol=1e-6)
        np.testing.assert_allclose(found.second, rows.T @ rows / len(rows), atol=1e-6)
        centred = rows - rows.mean(0)
        np.testing.assert_allclose(found.covariance, centred.T @ centred / len(rows), atol=1e-5)
        low, high = ranges(graph, spec, folder, texts, ["embedded"])["embedded"]
        assert (low, high) == pytest.approx((rows.min(), rows.max()), abs=1e-6)

    def test_of_many_texts_some_are_taken_from_all_parts(self, tier: Tier) -> None:
        spec, folder, _ = tier
        many = messages([3 * MOST_TEXTS // 10] * 10)[0]
        graph = graph_of(folder)
        whole, part = (
            moments(graph, spec, folder, chosen, ["embedded"])["embedded"].second
            for chosen in (many, many[:: len(many) // MOST_TEXTS])
        )
        np.testing.assert_allclose(whole, part, rtol=0.2, atol=0.05)


def test_fp16_answers_as_well_as_bit_for_bit(tier: Tier, mpnet: Tier, tmp_path: Path) -> None:
    for spec, folder, texts in (tier, mpnet):
        small = compress_by("fp16", spec, folder, tmp_path / spec.name)
        found, whole = logits(small, tmp_path / spec.name, texts), logits(spec, folder, texts)
        np.testing.assert_allclose(found, whole, atol=5e-3)
        assert (found.argmax(1) == whole.argmax(1)).mean() > 0.99


class TestInt8Static:
    def test_what_lies_beyond_the_range_of_the_texts_is_cut(
        self, tier: Tier, tmp_path: Path
    ) -> None:
        spec, folder, texts = tier
        small = compress_by("int8-static", spec, folder, tmp_path / "small", texts=texts)
        graph = graph_of(tmp_path / "small")
        seen = ranges(graph_of(folder), spec, folder, texts, ["layers.in"])["layers.in"]
        scale, zero = graph.array("layers.in.scale"), graph.array("layers.in.zero")
        assert scale is not None
        assert zero is not None
        np.testing.assert_allclose(scale * 255, seen[1] - seen[0], rtol=1e-5)
        assert abs(int(zero) + seen[0] / float(scale)) <= 0.5
        assert np.isfinite(logits(small, tmp_path / "small", ["", "⚡⚡⚡"])).all()

    def test_every_product_takes_bytes(self, tier: Tier, mpnet: Tier, tmp_path: Path) -> None:
        for spec, folder, texts in (tier, mpnet):
            place = tmp_path / spec.name
            compress_by("int8-static", spec, folder, place, texts=texts)
            found = operators(place)
            assert not {"Gemm", "Attention", "MatMul"} & set(found)
            assert found.count("MatMulIntegerToFloat") == 2 * 4 + 1


class TestInt4:
    @pytest.mark.parametrize("block", [16, 32])
    def test_products_have_the_weights_that_levels_say(
        self, block: int, tier: Tier, tmp_path: Path
    ) -> None:
        """Bytes are read back here as onnxruntime documents them: two weights each, lower first."""
        spec, folder, texts = tier
        way = f"int4[block={block}]"
        compress_by(way, spec, folder, tmp_path / "small", texts=texts)
        before, after = graph_of(folder), graph_of(tmp_path / "small")
        nodes = [node for node in after.nodes if node.op_type == "MatMulNBits"]
        assert len(nodes) == 8
        seen = moments(before, spec, folder, texts, [p.entering for p in before.inner()])
        by_name = {product.weight: product for product in before.inner()}
        for node in nodes:
            packed, scales = after.array(node.input[1]), after.array(node.input[2])
            assert packed is not None
            assert scales is not None
            product = by_name[node.input[1].removesuffix(".levels")]
            n_inputs, n_outputs = product.matrix.shape
            assert (attribute(node, "K"), attribute(node, "N")) == (n_inputs, n_outputs)
            levels = np.stack([packed & 15, packed >> 4], axis=-1).astype(float) - 8
            read = (levels.reshape(*packed.shape[:2], block) * scales[..., None]).reshape(
                n_outputs, -1
            )[:, :n_inputs]
            expected, by_block = levels_of(product.matrix, seen[product.entering].second, block)
            whole = expected * np.repeat(by_block, block, axis=0)[:n_inputs]
            np.testing.assert_allclose(read, whole.T, rtol=1e-5, atol=1e-7)

    def test_a_row_of_the_table_is_off_by_a_step_at_most(self, tier: Tier, tmp_path: Path) -> None:
        import onnxruntime as ort

        spec, folder, texts = tier
        compress_by("int4", spec, folder, tmp_path / "small", texts=texts)
        graph = graph_of(tmp_path / "small")
        node = next(one for one in graph.nodes if one.op_type == "GatherBlockQuantized")
        del graph.model.graph.output[:]
        graph.model.graph.output.append(
            onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None)
        )
        table = graph_of(folder).array("words")
        assert table is not None
        ids = np.arange(len(table))[:, None]
        session = ort.InferenceSession(graph.model.SerializeToString())
        (found,) = session.run(None, {"input_ids": ids, "attention_mask": ids})
        steps = np.abs(table).max(axis=1, keepdims=True) / 8
        # The largest weight has the lowest level; one of the other sign may lie beyond the highest.
        assert (np.abs(found[:, 0] - table) <= steps * 1.001).all()
        assert (np.abs(found[:, 0] - table) <= steps * 0.501).mean() > 0.98


class TestPrune:
    def test_heads_and_neurons_are_gone_and_the_rest_takes_over(
        self, tier: Tier, mpnet: Tier, tmp_path: Path
    ) -> None:
        for spec, folder, texts in (tier, mpnet):
            place = tmp_path / spec.name
            way = "prune[heads=0.5,neurons=0.25]"
            compress_by(way, spec, folder, place, texts=texts)
            graph = graph_of(place)
            shapes = {one.weight: one.matrix.shape for one in graph.inner()}
            for layer in range(2):
                assert shapes[f"layers.{layer}.qkv.weight"] == (32, 3 * 16)
                assert shapes[f"layers.{layer}.out.weight"] == (16, 32)
                assert shapes[f"layers.{layer}.up.weight"] == (32, 12)
                assert shapes[f"layers.{layer}.down.weight"] == (12, 32)
            attentions = [one for one in graph.nodes if one.op_type == "MultiHeadAttention"]
            assert [attribute(one, "num_heads") for one in attentions] == [2, 2]
            whole, found = logits(spec, folder, texts), logits(spec, place, texts)
            assert np.abs(found - whole).mean() < 0.15 * whole.std()

    def test_a_head_that_does_nothing_goes_first(self, tier: Tier, tmp_path: Path) -> None:
        spec, folder, texts = tier
        graph = graph_of(folder)
        for layer in range(2):
            product = next(p for p in graph.inner() if p.weight == f"layers.{layer}.out.weight")
            matrix = product.matrix.copy()
            matrix[8 * layer : 8 * layer + 8] = 0
            graph.set_matrix(product, matrix)
        onnx.save(graph.model, folder / "model.onnx")
        small = compress_by(
            "prune[heads=0.75,neurons=1]", spec, folder, tmp_path / "x", texts=texts
        )
        found, whole = logits(small, tmp_path / "x", texts), logits(spec, folder, texts)
        np.testing.assert_allclose(found, whole, atol=0.01)
        before, after = (
            graph.array("layers.1.qkv.bias"),
            graph_of(tmp_path / "x").array("layers.1.qkv.bias"),
        )
        assert before is not None
        kept = [part * 32 + i for part in range(3) for i in range(32) if not 8 <= i < 16]
        np.testing.assert_array_equal(after, before[kept])

    def test_heads_of_an_attention_that_is_written_out_are_refused(
        self, tier: Tier, tmp_path: Path
    ) -> None:
        spec, folder, texts = tier
        graph = graph_of(folder)
        open_attention(graph)
        onnx.save(graph.model, folder / "model.onnx")
        with pytest.raises(AdaptError, match="PF404 tier 'tiny': prune of heads finds no"):
            compress_by("prune[heads=0.5]", spec, folder, tmp_path / "small", texts=texts)
        assert not (tmp_path / "small").exists()
        compress_by("prune[neurons=0.5]", spec, folder, tmp_path / "small", texts=texts)

    def test_all_is_nothing_taken(self, tier: Tier, tmp_path: Path) -> None:
        spec, folder, texts = tier
        compress_by("prune[heads=1,neurons=1]", spec, folder, tmp_path / "small", texts=texts)
        path = tmp_path / "small" / "model.onnx"
        assert path.read_bytes() == (folder / "model.onnx").read_bytes()


class TestLowRank:
    def test_nothing_of_that_rank_errs_less_on_what_was_seen(self) -> None:
        """Against the best of many: the rank's part of what comes out (Eckart and Young 1936)."""
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(300, 12)) @ rng.normal(size=(12, 12))
        matrix = rng.normal(size=(12, 20)).astype(np.float32)
        outputs = rows @ matrix
        sizes = np.linalg.svd(outputs, compute_uv=False)
        for rank in (1, 3, 12):
            thin, wide = factors(matrix, rows.T @ rows / len(rows), rank)
            assert thin.shape == (12, rank)
            error = ((outputs - rows @ thin @ wide) ** 2).sum()
            assert error <= 1.05 * (sizes[rank:] ** 2).sum() + 1e-3 * (sizes**2).sum()

    def test_only_what_becomes_smaller_is_taken_apart(self, tier: Tier, tmp_path: Path) -> None:
        spec, folder, texts = tier
        compress_by("low-rank[ranks=0.25]", spec, folder, tmp_path / "small", texts=texts)
        shapes = {one.weight: one.matrix.shape for one in graph_of(tmp_path / "small").inner()}
        assert shapes["layers.0.up.thin.weight"] == (32, 8)
        assert shapes["layers.0.up.weight"] == (8, 48)
        assert shapes["layers.0.qkv.weight"] == (32, 96)
        with pytest.raises(AdaptError, match=r"PF404 .* have no fewer weights than one"):
            compress_by("low-rank[ranks=0.7]", spec, folder, tmp_path / "other", texts=texts)
        assert not (tmp_path / "other").exists()


class TestSparse:
    def test_the_share_is_kept_in_every_output(self) -> None:
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(500, 40)) @ rng.normal(size=(40, 40))
        matrix = rng.normal(size=(40, 9)).astype(np.float32)
        second = rows.T @ rows / 500
        found = sparse(matrix, second, 0.3)
        assert ((found != 0).sum(axis=0) == 12).all()
        scores = np.abs(matrix) * np.sqrt(np.diag(second))[:, None]
        stays = found != 0
        for column in range(9):
            least = scores[stays[:, column], column].min()
            assert least >= scores[~stays[:, column], column].max()
        plain = np.where(stays, matrix, 0)
        errors = [((rows @ (matrix - one)) ** 2).mean() for one in (found, plain)]
        assert errors[0] < 0.95 * errors[1]

    def test_zeros_stay_through_int8(self, tier: Tier, tmp_path: Path) -> None:
        spec, folder, texts = tier
        way = "sparse[kept=0.25]+int8"
        compress_by(way, spec, folder, tmp_path / "small", texts=texts)
        weights = graph_of(tmp_path / "small").array("layers.0.up.weight_quantized")
        assert weights is not None
        assert (weights == 0).mean() >= 0.75


def test_places_beyond_the_longest_text_are_trimmed(tier: Tier, tmp_path: Path) -> None:
    spec, folder, texts = tier
    assert spec.settings["max_tokens"] == 32
    small = compress_by("trim", spec, folder, tmp_path / "small", texts=texts)
    places = graph_of(tmp_path / "small").array("positions")
    assert places is not None
    assert places.shape == (32, 32)
    long = ["zz " * 500]
    runtime = open_tier(small, lambda name: (tmp_path / "small" / name).read_bytes(), threads=1)
    np.testing.assert_array_equal(runtime.logits(long), logits(spec, folder, long))
