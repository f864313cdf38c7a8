"""Two processes train what one would have trained, and end when one of them is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.adapt.tiny_backbones import messages

from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.engine.adaptations.adaptive_low_rank import AdaptiveLowRank
from payoff.adapt.engine.architectures import load
from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.finetuning import MAX_TOKENS, FineTuning, Schedule
from payoff.adapt.engine.objectives.adversarial import FreeLBLoss
from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.adapt.engine.objectives.mixup import MixupLoss
from payoff.adapt.engine.objectives.objective import Objective
from payoff.adapt.engine.objectives.r_drop import RDropLoss
from payoff.adapt.engine.parallel import led
from payoff.adapt.engine.team import Team, part_of, team
from payoff.adapt.engine.tokens import tokenise
from payoff.adapt.engine.trunk import Trunk
from payoff.core.errors import AdaptError
from payoff.core.progress import Silent

OBJECTIVES: dict[str, Objective] = {
    "cross-entropy": CrossEntropy(),
    "contrastive": CrossEntropy(contrast=0.5),
    "mixup": MixupLoss(),
    "r-drop": RDropLoss(),
    "freelb": FreeLBLoss(),
}
IN_PARTS = {"parts": CrossEntropy(), "parts, contrastive": CrossEntropy(contrast=0.5)}
CASES = [*OBJECTIVES, *IN_PARTS, "adalora", "pieces"]
KEYS = slice(32, 64)  # of a layer's bias of queries, keys and values


def tuning(backbone: Path, place: Path, case: str) -> FineTuning:
    """A training of three epochs whose last batch has one text: fewer than processes."""
    texts, targets = messages([15, 15, 15], noise=0.1)
    encoder = load(backbone)
    long = {"max_tokens": 12, "max_pieces": 4} if case == "pieces" else {"max_tokens": 40}
    texts = [text * (1 + i % 3) for i, text in enumerate(texts)]
    tokens = tokenise(texts, load_tokenizer(backbone), **long)
    torch.manual_seed(0)
    weight = np.random.default_rng(0).normal(size=(3, 32)).astype(np.float32)
    adaptation = AdaptiveLowRank(2, 3) if case == "adalora" else None
    classifier = Classifier(encoder, 1, weight, np.zeros(3, np.float32), adaptation=adaptation)
    return FineTuning(
        classifier,
        Trunk(encoder, tokens, Silent(), folder=place / f"{os.getpid()}-{case}"),
        targets,
        rows=np.arange(25),
        schedule=Schedule(
            depth=1,
            epochs=3.0,
            batch_texts=4,
            weight_decay=0.1,
            max_tokens=30 if case in IN_PARTS else MAX_TOKENS,
        ),
        objective=(OBJECTIVES | IN_PARTS).get(case),
        progress=Silent(),
    )


def weights(tuned: FineTuning) -> dict[str, torch.Tensor]:
    state = tuned.classifier.state_dict()
    return {name: v for name, v in state.items() if isinstance(v, torch.Tensor)}


def all_cases(_: Team, backbone: Path, place: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Every case, paused once on the way."""
    found = {}
    for case in CASES:
        tuned = tuning(backbone, place, case)
        tuned.advance(0.4)
        tuned.advance(1.0)
        found[case] = weights(tuned)
    return found


def follow_all(one: Team, backbone: Path, place: Path) -> None:
    all_cases(one, backbone, place)


def killed(one: Team, backbone: Path, place: Path) -> None:
    tuning(backbone, place, "cross-entropy").advance(0.3)
    os.kill(os.getpid(), signal.SIGKILL)


def asleep(one: Team, backbone: Path, place: Path) -> None:
    tuning(backbone, place, "cross-entropy").advance(0.3)
    time.sleep(60)


def refused(one: Team, backbone: Path, place: Path) -> None:
    tuning(backbone, place, "cross-entropy").advance(0.3)
    raise AdaptError("PF402", "step 3", "the loss is nan")


def another(one: Team, backbone: Path, place: Path) -> None:
    training = tuning(backbone, place, "cross-entropy")
    training.rows = training.rows[::-1][:20]
    training.advance(1.0)


def lead(backbone: Path, place: Path, follow: Callable[..., None], **how: Any) -> None:
    """Lead a training that another process leaves at 30 %."""
    with led(2, follow, (backbone, place), **how):
        training = tuning(backbone, place, "cross-entropy")
        training.advance(0.3)
        training.advance(1.0)


@pytest.fixture(scope="module")
def both(
    bert_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, Any]]:
    """All cases by one process, and by two."""
    place = tmp_path_factory.mktemp("trunks")
    alone = all_cases(Team(), bert_folder, place)
    with led(2, follow_all, (bert_folder, place)) as one:
        assert team() is one
        together = all_cases(one, bert_folder, place)
    assert team().size == 1
    return alone, together


@pytest.mark.parametrize("case", CASES)
def test_two_processes_end_where_one_would(
    case: str, both: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    alone, together = (found[case] for found in both)
    assert alone.keys() == together.keys()
    for name, expected in alone.items():
        difference = (expected - together[name]).abs()
        if name.endswith("qkv.bias"):
            # A constant added to all keys changes no attention: its gradient is 0 but for
            # rounding, of which the optimiser makes steps.
            assert float(difference[KEYS].max()) < 1e-4
            difference[KEYS] = 0.0
        assert float(difference.max()) < 1e-6, name


@pytest.mark.parametrize(
    ("follow", "told"),
    [
        (killed, "process 1 was ended by signal 9"),
        (asleep, "another process is gone or does not answer"),
        (refused, "process 1 failed: PF402 step 3: the loss is nan"),
        (another, "process 1 failed: PF410 process 1 of 2: it trains something else"),
    ],
)
def test_when_a_process_is_gone_the_other_ends_and_says_so(
    follow: Callable[..., None], told: str, bert_folder: Path, tmp_path: Path
) -> None:
    begun = time.monotonic()
    with pytest.raises(AdaptError, match="PF410") as error:
        lead(bert_folder, tmp_path, follow, timeout_s=10.0 if follow is not asleep else 2.0)
    assert told in str(error.value)
    assert time.monotonic() - begun < 40
    assert team().size == 1
    tuning(bert_folder, tmp_path, "cross-entropy").advance(0.1)


LEADER = """
import multiprocessing, sys, time
from pathlib import Path
from payoff.adapt.engine.parallel import led

def idle(one):
    Path(sys.argv[1], "following").touch()
    one.hear()

if __name__ == "__main__":
    with led(2, idle, ()) as one:
        draft = Path(sys.argv[1], "draft")
        draft.write_text(str(multiprocessing.active_children()[0].pid))
        draft.rename(draft.with_name("pid"))
        time.sleep(60)
"""


def test_without_its_leader_a_process_ends(tmp_path: Path, repository: Path) -> None:
    script = tmp_path / "leader.py"
    script.write_text(LEADER)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(repository), *sys.path])}
    told = [tmp_path / name for name in ("following", "pid")]
    with subprocess.Popen([sys.executable, script, tmp_path], env=environment) as leader:
        until = time.monotonic() + 100
        while not all(path.exists() for path in told) and leader.poll() is None:
            assert time.monotonic() < until
            time.sleep(0.05)
        pid = int((tmp_path / "pid").read_text())
        leader.kill()
    until = time.monotonic() + 20
    while runs(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not runs(pid)


def runs(pid: int) -> bool:
    """Whether a process is there and has not ended; whoever adopted it may not have noticed."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


BY_TORCHRUN = """
import os, sys, torch
from pathlib import Path
from tests.adapt.engine.test_parallel import tuning, weights
from payoff.adapt.engine.team import Team, joined

torch.set_num_threads(1)
backbone, place = map(Path, sys.argv[1:])
with joined(Team(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))) as one:
    training = tuning(backbone, place, "contrastive")
    training.advance(0.4)
    training.advance(1.0)
    if one.rank == 0:
        torch.save(weights(training), place / "weights.pt")
"""


def test_torchrun_starts_the_processes_too(
    bert_folder: Path, tmp_path: Path, repository: Path
) -> None:
    script = tmp_path / "train.py"
    script.write_text(BY_TORCHRUN)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(repository), *sys.path])}
    subprocess.run(
        [*torchrun, "--nproc-per-node", "2", script, bert_folder, tmp_path],
        check=True,
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        timeout=120,
    )
    found = torch.load(tmp_path / "weights.pt", weights_only=True)
    alone = tuning(bert_folder, tmp_path, "contrastive")
    alone.advance(1.0)
    for name, expected in weights(alone).items():
        limit = 1e-4 if name.endswith("qkv.bias") else 1e-6
        assert float((expected - found[name]).abs().max()) < limit, name


@pytest.mark.parametrize("size", [2, 3, 9])
@pytest.mark.parametrize("max_tokens", [12, 40])
def test_parts_are_the_batch_between_them(size: int, max_tokens: int, bert_folder: Path) -> None:
    texts = [text * (1 + i % 3) for i, text in enumerate(messages([3, 3])[0])]
    tokens = tokenise(texts, load_tokenizer(bert_folder), max_tokens=max_tokens, max_pieces=4)
    batch = pack(tokens, np.arange(6))
    parts = [part_of(batch, rank, size) for rank in range(size)]
    places = torch.cat([where for _, where in parts])
    assert sorted(places.tolist()) == list(range(batch.n_tokens))
    for part, where in parts:
        assert torch.equal(part.ids, batch.ids[where])
        assert torch.equal(part.positions, batch.positions[where])
        assert sum(count * length for _, count, length in part.groups) == part.n_tokens
        assert part.pieces is None
