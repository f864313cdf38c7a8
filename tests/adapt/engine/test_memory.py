"""Memory of a training, estimated and compared with what there is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder
from payoff.adapt.engine.memory import available_bytes, check_memory, training_bytes
from payoff.adapt.engine.tokens import Tokens
from payoff.core.errors import MachineError

STEP = """
import re
import numpy as np, torch
from payoff.adapt.engine.batches import pack
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder, EncoderShape
from payoff.adapt.engine.memory import training_bytes
from payoff.adapt.engine.tokens import Tokens

def step(width, layers, n_texts):
    encoder = Encoder(EncoderShape(100, width, layers, 8, 4 * width, 128, 0, 1e-12))
    classifier = Classifier(encoder, 0, np.zeros((3, width)), np.zeros(3))
    lengths = [64] * n_texts
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    batch = pack(Tokens(np.zeros(sum(lengths), np.int64), offsets), np.arange(n_texts))
    optimiser = torch.optim.AdamW(classifier.parameters())
    before = int(open("/proc/self/statm").read().split()[1]) * 4096
    hidden = torch.randn(batch.n_tokens, width)
    logits = classifier(hidden, batch)
    targets = torch.zeros(n_texts, dtype=torch.long)
    torch.nn.functional.cross_entropy(logits, targets).backward()
    optimiser.step()
    return before, training_bytes(classifier, batch)

step(16, 1, 2)  # what a first step loads and never gives back
before, needed = step(256, 4, 64)
# Not what getrusage tells: that begins with the largest size of whoever started this process.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
print(peak - before, needed)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_the_estimate_is_above_what_a_step_takes_and_not_far_above() -> None:
    # In a process of its own: this one may hold freed memory that a step would take again.
    told = subprocess.run(
        [sys.executable, "-c", STEP], capture_output=True, text=True, check=True, timeout=300
    ).stdout
    taken, needed = map(int, told.split())
    assert 0.7 * taken < needed < 3 * taken


LONG = """
import re, tempfile
from pathlib import Path
import numpy as np, torch
from payoff.adapt.engine.classifier import Classifier
from payoff.adapt.engine.encoder import Encoder, EncoderShape
from payoff.adapt.engine.finetuning import FineTuning, Schedule
from payoff.adapt.engine.objectives.cross_entropy import CrossEntropy
from payoff.adapt.engine.tokens import Tokens
from payoff.adapt.engine.trunk import Trunk
from payoff.core.progress import Silent

torch.set_num_threads(1)
torch.manual_seed(0)
encoder = Encoder(EncoderShape(100, 64, 3, 4, 256, 128, 0, 1e-12)).requires_grad_(False)

def tuning(n_texts, max_tokens, contrast):
    # Texts of four pieces of 128 tokens each.
    pieces = np.arange(4 * n_texts + 1) * 128
    ids = np.random.default_rng(0).integers(0, 100, pieces[-1])
    tokens = Tokens(ids, pieces[::4], pieces)
    return FineTuning(
        Classifier(encoder, 0, np.eye(3, 64), np.zeros(3)),
        Trunk(encoder, tokens, Silent(), folder=Path(tempfile.mkdtemp())),
        np.arange(n_texts) % 3,
        rows=np.arange(n_texts),
        schedule=Schedule(0, epochs=1.0, batch_texts=n_texts, max_tokens=max_tokens),
        objective=CrossEntropy(contrast=contrast),
        progress=Silent(),
    )

tuning(2, 512, 0.1).advance(1.0)  # what a first step loads and never gives back
before = int(open("/proc/self/statm").read().split()[1]) * 4096
for max_tokens, contrast in ((2048, 0.0), (2048, 0.1), (40_000, 0.0)):
    made = tuning(64, max_tokens, contrast)
    made.advance(1.0)
    peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
    print(peak - before, made.training_bytes())
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_a_step_of_long_texts_takes_memory_for_its_parts() -> None:
    """32,768 tokens: in parts of 2,048, the same where texts are compared, and as one."""
    told = subprocess.run(
        [sys.executable, "-c", LONG], capture_output=True, text=True, check=True, timeout=300
    ).stdout
    taken, needed = np.array([line.split() for line in told.splitlines()], np.int64).T
    assert (taken[:2] < taken[2] / 3).all()
    assert (needed[:2] < needed[2] / 3).all()
    assert (0.7 * taken < needed).all()
    assert (needed < 3 * taken).all()


def test_frozen_weights_need_no_states(encoder: Encoder, some_tokens: Tokens) -> None:
    batch = pack(some_tokens, np.arange(4))
    whole = Classifier(encoder, 0, np.zeros((3, 32)), np.zeros(3))
    before = training_bytes(whole, batch)
    n_weights = sum(p.numel() for p in whole.layers.parameters())
    whole.layers.requires_grad_(False)
    assert before - training_bytes(whole, batch) == 4 * 3 * n_weights
    upper = Classifier(encoder, 1, np.zeros((3, 32)), np.zeros(3))
    assert training_bytes(upper, batch) < before


def test_the_smaller_of_machine_and_control_group(tmp_path: Path) -> None:
    assert available_bytes(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   2000 kB\n")
    assert available_bytes(tmp_path) == 2_048_000
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("500\n")
    assert available_bytes(tmp_path) == 2_048_000
    (group / "memory.max").write_text("1500\n")
    assert available_bytes(tmp_path) == 1000
    (group / "memory.current").write_text("1600\n")
    assert available_bytes(tmp_path) == 0
    (group / "memory.stat").write_text("anon 900\ninactive_file 700\n")
    assert available_bytes(tmp_path) == 600


def test_too_little_is_told_before_it_begins() -> None:
    check_memory("lora", 10, 10)
    check_memory("lora", 10, None)
    with pytest.raises(MachineError, match="PF808 lora: training needs about 3 MB and 2 MB"):
        check_memory("lora", 3_000_000, 2_000_000)
