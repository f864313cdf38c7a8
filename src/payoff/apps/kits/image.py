"""The container image that several kits share: `payoff serve` behind one port."""

from __future__ import annotations

import json

IMAGE_TESTED = (
    "The command and the health check of the Dockerfile, as processes that find nothing but "
    "`payoff/` and what `requirements.txt` pins, over HTTP.",
    "The Dockerfile, by hadolint.",
)
"""What the tests run of an image, one a sentence."""
NO_JOURNAL = (
    "No journal is kept: the host has no disk that lasts. `--target container` and `--target "
    "systemd` keep one."
)
_SERVE = ("python", "-m", "payoff.cli.main", "serve", "model.payoff", "--host", "0.0.0.0", "--open")


def image_values(port: int, *, journal: bool, any_argument: bool = False) -> dict[str, object]:
    """What the templates in ``image`` ask for.

    Args:
        port: Where it listens, if the host says nothing else by ``PORT``.
        journal: Whether it writes decisions to a volume.
        any_argument: Whether what the host gives as the command is ignored.

    Example:
        >>> image_values(8080, journal=False)["entry"].split(", ")[-1]
        '"--no-journal"]'
    """
    words = [*_SERVE, *(("--journal", "/journal/decisions.db") if journal else ("--no-journal",))]
    if any_argument:
        entry = f"ENTRYPOINT {json.dumps(['sh', '-c', 'exec ' + ' '.join(words)])}"
    else:
        entry = f"CMD {json.dumps(words)}"
    return {"port": port, "volume": "VOLUME /journal\n" if journal else "", "entry": entry}
