"""Further versions of the frozen artifact, for tests of what serves."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from payoff.artifact.artifact import Artifact
from payoff.artifact.write import write_artifact
from payoff.economics.desk import POLICY


def another(artifact: Path, path: Path, seed: int, **changed: Any) -> str:
    """Write the same model under another seed in its manifest; gives the new SHA-256.

    Args:
        artifact: The one to begin with.
        path: Where it goes; what lies there is replaced as a whole.
        seed: Tells versions apart.
        changed: ``name``, ``labels`` or ``policy``, in place of the first one's.
    """
    with Artifact.open(artifact) as old, tempfile.TemporaryDirectory() as folder:
        members = Path(folder) / "members"
        for name in old.manifest.tier_members(0):
            target = members / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(old.read(name))
        made = write_artifact(
            Path(folder) / "made.payoff",
            name=changed.get("name", old.name),
            labels=changed.get("labels", old.labels),
            tiers=[(old.tiers[0], members)],
            calibrations=list(old.calibrations),
            documents={POLICY: changed.get("policy", old.read(POLICY))},
            seed=seed,
            data_fingerprint=f"seed {seed}",
        )
        aside = path.with_name(f"{path.name}.part")
        shutil.copyfile(made, aside)
        aside.replace(path)
    with Artifact.open(path) as new:
        return new.sha256
