"""TensorBoard: what was told is read back from its event files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.plan.trackers.training import EVIDENCE, PARAMS, STEPS, two_trainings

from payoff.plan.trackers import tracker_named

pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")


def test_what_was_told_is_read_back(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    two_trainings(tracker_named("tensorboard"), tmp_path)
    two_trainings(tracker_named("tensorboard"), tmp_path)
    folders = sorted(path.name for path in (tmp_path / "tensorboard").iterdir())
    assert folders == [
        f"fine-tune_{name}_depth=1.{number}" for name in ("one", "two") for number in (1, 2)
    ]
    for name, first in (("one", 1.0), ("two", 2.0)):
        place = tmp_path / "tensorboard" / f"fine-tune_{name}_depth=1.1"
        read = EventAccumulator(str(place))
        read.Reload()
        loss = {event.step: event.value for event in read.Scalars("training/loss")}
        assert loss == pytest.approx({step: first / step for step in range(1, STEPS + 1)})
        status = read.Tensors("status/text_summary")[0].tensor_proto.string_val[0].decode()
        assert status == ("finished" if name == "one" else "failed")
        begun = HParamsPluginData.FromString(
            read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        ).session_start_info.hparams
        assert {key: begun[key].number_value or begun[key].string_value for key in begun} == PARAMS
        if name == "one":
            judged = [(event.step, event.value) for event in read.Scalars("validation/accuracy")]
            assert judged == [(34, pytest.approx(0.8)), (100, pytest.approx(0.9))]
            text = read.Tensors("evidence.json/text_summary")[0].tensor_proto.string_val[0]
            assert json.loads(text.decode("utf-8").strip("`\n")) == EVIDENCE
