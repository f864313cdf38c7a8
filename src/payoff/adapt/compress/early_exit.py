"""A head at an inner layer, so that an easy request stops there: a cascade within one model."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.compress.activations import sample_of
from payoff.adapt.compress.encoder_graph import is_encoder, need_encoder
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.soft_targets import fit_soft
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime import open_tier
from payoff.artifact.runtime.early_exit import EARLY, HIDDEN, REST, SETTING, confidence_of
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.core.files import whole_folder

AGREED = 0.995
"""Share of the texts that are decided as by the whole model, counted on texts that the head was not
fitted to."""

FEWEST, MOST = 100, 10_000
"""Texts that the head is fitted to."""

_STRENGTH = 300.0  # of the head: shares of the whole model are no labels to overfit to
_LAYER = re.compile(r"^layers\.(\d+)\.norm\.out$")
_INPUTS = {"input_ids", "attention_mask"}
_POOLED, _LOGITS = "pooled", "logits"


class EarlyExit:
    """The lower half of the layers answers what it is sure of; the rest is asked for the others.

    The head at the half is fitted to what the whole model says of unlabelled texts, and answers
    from that confidence on at which it would have decided `AGREED` of them like the whole model
    (Teerapittayanon et al. 2016, "BranchyNet"; Xin et al. 2020, "DeeBERT", section 3.1). Of texts
    that the whole model was trained on both halves are surer than of others: what is lost on
    others is for validation rows to tell.
    """

    name = "early-exit"
    stage = "exits"

    def applies(self, spec: TierSpec) -> bool:
        """Encoders in one part, with their members unpacked."""
        return is_encoder(spec)

    def compress(
        self, spec: TierSpec, folder: Path, target: Path, *, texts: Sequence[str] = ()
    ) -> TierSpec:
        """Cut ``model.onnx`` in two.

        Raises:
            AdaptError: PF404 where it has fewer than two layers, or shares its weights; PF411
                without texts; PF412 with fewer than `FEWEST`.
        """
        import onnx

        need_encoder(spec, self.name)
        asked = sample_of(spec, texts, fewest=FEWEST, most=MOST)
        model = onnx.load(folder / "model.onnx")
        middle, last = _layers(model.graph, spec)
        with whole_folder(target) as draft:
            for member in spec.members:
                if member != "model.onnx":
                    shutil.copyfile(folder / member, draft / member)
            first = _first(model, middle, last)
            onnx.save(first, draft / "model.onnx")
            vectors = _answers(
                replace(spec, settings={**spec.settings, "outputs": _POOLED}), draft, asked
            )
            said = _answers(spec, folder, asked)
            head, confidence = fitted(vectors, said)
            _add_head(first.graph, head)
            onnx.save(first, draft / "model.onnx")
            onnx.save(_rest(model, middle), draft / REST)
        return replace(
            spec,
            name=f"{spec.name} early-exit",
            members=(*spec.members, REST),
            settings={**spec.settings, SETTING: confidence},
        )


def fitted(vectors: NDArray[np.float32], said: NDArray[np.float32]) -> tuple[LinearHead, float]:
    """A head on the vectors at the exit, and the confidence from which it answers.

    Args:
        vectors: Normalised, at the exit, ``(n, width)``.
        said: Scores of the whole model, ``(n, n_labels)``.

    Returns:
        The head, and a confidence; 1 where it never decides like the whole model.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> truth = rng.integers(0, 2, 400)
        >>> vectors = np.eye(2, dtype=np.float32)[truth]
        >>> head, confidence = fitted(vectors, 9 * vectors)
        >>> bool((head(vectors).argmax(1) == truth).all()), confidence < 1
        (True, True)
    """
    shares = Calibration().apply(said)
    wanted = said.argmax(axis=1)
    half = np.arange(len(said)) % 2 == 0
    sure, same = np.zeros(len(said)), np.zeros(len(said), bool)
    for learnt in (half, ~half):
        scores = fit_soft(vectors[learnt], shares[learnt], strength=_STRENGTH)(vectors[~learnt])
        sure[~learnt] = confidence_of(scores)
        same[~learnt] = scores.argmax(axis=1) == wanted[~learnt]
    order = np.argsort(-sure, kind="stable")
    allowed = (1.0 - AGREED) * len(said)
    able = np.flatnonzero(np.cumsum(~same[order]) <= allowed)
    confidence = float(sure[order[able[-1]]]) if len(able) else 1.0
    return fit_soft(vectors, shares, strength=_STRENGTH), confidence


def _answers(spec: TierSpec, folder: Path, texts: Sequence[str]) -> NDArray[np.float32]:
    runtime = open_tier(spec, lambda member: (folder / member).read_bytes())
    return runtime.logits(texts)


def _layers(graph: Any, spec: TierSpec) -> tuple[str, str]:
    """Names of what the middle and the last layer give."""
    if {one.name for one in graph.input} != _INPUTS:
        raise _wrong(spec, "it shares its backbone with other models", "a model of its own")
    outputs = {name for node in graph.node for name in node.output}
    found = sorted(int(told[1]) for told in map(_LAYER.match, outputs) if told)
    if len(found) < 2 or _POOLED not in outputs:
        raise _wrong(spec, f"an encoder of {len(found)} layers", "two layers or more")
    return _output(found[len(found) // 2 - 1]), _output(found[-1])


def _output(layer: int) -> str:
    return f"layers.{layer}.norm.out"


def _before(graph: Any, wanted: Sequence[str], known: Sequence[str] = ()) -> list[Any]:
    """The nodes that the wanted values need, in their order, without those before the known."""
    by_output = {name: node for node in graph.node for name in node.output}
    todo, found = [*wanted], set[str]()
    while todo:
        name = todo.pop()
        node = by_output.get(name)
        if name in known or node is None or node.name in found:
            continue
        found.add(node.name)
        todo += list(node.input)
    return [node for node in graph.node if node.name in found]


def _first(model: Any, middle: str, last: str) -> Any:
    """Tokens to the pooled vectors of the middle layer, and its token vectors."""
    from onnx import TensorProto, helper

    graph = model.graph
    below = _before(graph, [middle])
    pooling = [_renamed(node, last, middle) for node in _before(graph, [_POOLED], known=[last])]
    own = {name for node in below for name in node.output}
    above = [node for node in pooling if not set(node.output) <= own]
    hidden = helper.make_node("Identity", [middle], [HIDDEN], name=HIDDEN)
    outputs = [
        helper.make_tensor_value_info(_POOLED, TensorProto.FLOAT, ["n_texts", "width"]),
        helper.make_tensor_value_info(HIDDEN, TensorProto.FLOAT, ["n_texts", "n_tokens", "width"]),
    ]
    return _model(model, [*below, *above, hidden], list(graph.input), outputs)


def _rest(model: Any, middle: str) -> Any:
    """Token vectors of the middle layer to scores."""
    from onnx import TensorProto, helper

    graph = model.graph
    nodes = [_renamed(node, middle, HIDDEN) for node in _before(graph, [_LOGITS], known=[middle])]
    read = {name for node in nodes for name in node.input}
    shape = ["n_texts", "n_tokens", "width"]
    inputs = [helper.make_tensor_value_info(HIDDEN, TensorProto.FLOAT, shape)]
    inputs += [one for one in graph.input if one.name in read]
    return _model(model, nodes, inputs, list(graph.output))


def _add_head(graph: Any, head: LinearHead) -> None:
    """Scores from the pooled vectors, in place of these."""
    from onnx import TensorProto, helper, numpy_helper

    names = ["exit.weight", "exit.bias"]
    for name, value in zip(names, (head.weight, head.bias), strict=True):
        graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    node = helper.make_node("Gemm", [_POOLED, *names], [EARLY], name=EARLY, transB=1)
    graph.node.append(node)
    shape: list[str | int | None] = ["n_texts", len(head.bias)]
    logits = helper.make_tensor_value_info(EARLY, TensorProto.FLOAT, shape)
    hidden = [one for one in graph.output if one.name == HIDDEN]
    del graph.output[:]
    graph.output.extend([logits, *hidden])


def _renamed(node: Any, old: str, new: str) -> Any:
    """A copy that reads ``new`` where it read ``old``."""
    import onnx

    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for place, name in enumerate(copy.input):
        if name == old:
            copy.input[place] = new
    return copy


def _model(model: Any, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> Any:
    """A model of these nodes and the weights that they read."""
    from onnx import helper

    read = {name for node in nodes for name in node.input}
    weights = [one for one in model.graph.initializer if one.name in read]
    graph = helper.make_graph(nodes, model.graph.name, inputs, outputs, weights)
    return helper.make_model(
        graph,
        opset_imports=list(model.opset_import),
        ir_version=model.ir_version,
        producer_name=model.producer_name,
        producer_version=model.producer_version,
    )


def _wrong(spec: TierSpec, found: str, expected: str) -> AdaptError:
    return AdaptError(
        "PF404", f"tier '{spec.name}'", found, expected=expected, mend="Serve it in one part."
    )
