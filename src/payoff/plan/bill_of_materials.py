"""What an artifact is made of, as a bill of materials that supply-chain tools read.

The document is CycloneDX 1.6 (ECMA-424), as JSON: pretrained weights and their tokenizers with
hash and licence, libraries that serving needs in the versions installed, endpoints that it asks. It
holds no time and no random number: the same run gives the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from payoff import __version__
from payoff.adapt.backbones.backbone import Backbone
from payoff.adapt.backbones.installation import laid_record
from payoff.artifact.tier import TierSpec

_SPDX = {name.lower(): name for name in ("Apache-2.0", "MIT", "BSD-3-Clause", "BSD-2-Clause")}
_CLASSIFIERS = {"MIT License": "MIT", "Apache Software License": "Apache-2.0"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HUB = "https://huggingface.co/"


def bill_of_materials(
    name: str, backbones: Iterable[tuple[Backbone, Path]], tiers: Sequence[TierSpec]
) -> dict[str, Any]:
    """The document.

    Args:
        name: Of the artifact.
        backbones: Pretrained models inside, each with the folder that its files lie in.
        tiers: The artifact's models; those that somebody else serves are services.

    Example:
        >>> made = bill_of_materials("desk", [], [TierSpec("bag of words", "ngrams")])
        >>> made["specVersion"], made["components"][0]["type"]
        ('1.6', 'library')
    """
    parts = [part for one, folder in backbones for part in _of_backbone(one, folder)]
    parts += _libraries()
    services = [
        {
            "bom-ref": f"service:{tier.name}",
            "name": tier.name,
            "endpoints": [str(tier.settings.get("base_url", ""))],
        }
        for tier in tiers
        if tier.kind == "endpoint"
    ]
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "machine-learning-model", "bom-ref": "artifact", "name": name},
            "tools": {
                "components": [{"type": "application", "name": "payoff", "version": __version__}]
            },
        },
        "components": parts,
        "dependencies": [
            {"ref": "artifact", "dependsOn": [one["bom-ref"] for one in (*parts, *services)]}
        ],
    }
    return document | ({"services": services} if services else {})


def _of_backbone(backbone: Backbone, folder: Path) -> list[dict[str, Any]]:
    """Its weights and its tokenizer, as they were laid."""
    found = []
    for kind, file in (("machine-learning-model", backbone.laid_file), ("file", "tokenizer.json")):
        part: dict[str, Any] = {
            "type": kind,
            "bom-ref": f"{kind}:{backbone.name}",
            "name": f"{backbone.title or backbone.name}, {file}",
            "licenses": _licences(backbone.licence),
        }
        sha256 = _sha256(folder, file)
        if sha256:
            part["hashes"] = [{"alg": "SHA-256", "content": sha256}]
        if backbone.upstream:
            place = {"type": "distribution", "url": f"{_HUB}{backbone.upstream}"}
            part["externalReferences"] = [place]
        found.append(part)
    return found


def _sha256(folder: Path, file: str) -> str:
    """Of a backbone's file, as noted when it was laid, or as it is; empty where it is not there."""
    noted = laid_record(folder).get("members", {}).get(file, {}).get("sha256")
    if noted:
        return str(noted)
    path = folder / file
    if not path.is_file():
        return ""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _libraries() -> list[dict[str, Any]]:
    """All that serving needs, payoff first, at any remove, in the versions that are installed."""
    found: dict[str, Distribution] = {}
    waiting = ["payoff"]
    while waiting:
        name = waiting.pop()
        try:
            one = distribution(name)
        except PackageNotFoundError:
            continue  # for another system, or another Python
        key = re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower()
        if key not in found:
            found[key] = one
            waiting += _needed(one)
    return [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{one.version}",
            "name": name,
            "version": one.version,
            "purl": f"pkg:pypi/{name}@{one.version}",
            "licenses": _licences(_stated(one)),
        }
        for name, one in sorted(found.items())
    ]


def _needed(one: Distribution) -> list[str]:
    """Names of what a distribution needs without any extra."""
    lines = [line for line in one.requires or () if "extra ==" not in line]
    return [match[0] for line in lines if (match := _NAME.match(line))]


def _stated(one: Distribution) -> str:
    """The licence as a distribution's metadata states it; empty where it does not."""
    told = one.metadata.json
    if told.get("license_expression"):
        return str(told["license_expression"])
    named = [line.split(" :: ")[-1] for line in one.metadata.get_all("Classifier") or ()]
    known = [_CLASSIFIERS[name] for name in named if name in _CLASSIFIERS]
    text = str(told.get("license") or "").strip().splitlines()
    return known[0] if known else (text[0][:100] if text else "")


def _licences(stated: str) -> list[dict[str, Any]]:
    """As CycloneDX has them: by SPDX id where it is a common one, else in the words that it is."""
    if not stated or stated == "not stated":
        return []
    spdx = _SPDX.get(stated.lower())
    return [{"license": {"id": spdx} if spdx else {"name": stated}}]
