"""Personal data in the texts."""

from __future__ import annotations

from collections import Counter

from payoff.core.findings import Finding, Status
from payoff.data.checks.subject import Subject, counted, passed
from payoff.data.personal import KINDS, find_personal

_NAMES = {
    "email": "e-mail addresses",
    "iban": "IBANs",
    "card": "payment cards",
    "id_number": "identity numbers",
    "phone": "phone numbers",
}


def personal_data(subject: Subject) -> Finding:
    """Addresses and numbers that point to a person (PF163); shown redacted.

    Example:
        >>> personal_data(Subject.of(["write to ann@example.org"])).rows
        ({'row': 1, 'text': 'write to [email]'},)
    """
    code, title = "PF163", "No text holds personal data that can be told by its form"
    kinds: Counter[str] = Counter()
    rows: list[int] = []
    for i, text in enumerate(subject.dataset.texts):
        if spans := find_personal(text):
            kinds.update({span.kind for span in spans})
            rows.append(i)
    if not rows:
        return passed(code, title, "names and postal addresses are not looked for")
    told = ", ".join(f"{_NAMES[kind]} in {kinds[kind]:,}" for kind in KINDS if kinds[kind])
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{counted(len(rows), 'text')} of {len(subject.dataset):,}: {told}",
        "Take them out before training or sharing: payoff.data.personal.redact(text).",
        subject.show(rows),
        len(rows),
    )
