"""The languages of the texts, by script and by the commonest words.

No model is used: a text is told by the script of most of its letters, and a text in Latin letters
by its stop words where at least two of one language occur and more than of any other. A short
text in Latin letters often stays untold, and is then counted for no language.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from payoff.core.findings import Finding, Status
from payoff.data.checks.subject import Subject, counted, not_applicable, passed

MAX_OTHER = 0.02
"""Share of texts in other languages up to which the data count as in one language."""
_LETTERS_READ = 400

_STOP_WORDS = {
    "en": "the is my to you and what i how can it have for not are do of this was with",
    "de": "ich und nicht der die das ist ein eine mit wie mein meine es zu auf habe kann den",
    "fr": "je le les est pas et une pour vous mon ma dans des que qui sur avec ce ne au",
    "es": "el los las que es por una mi para como con del se lo y en mis está un hola",
    "pt": "o os não uma para meu minha você com está em um do da no na eu por é ao",
    "it": "il che non è una mio mia sono di per gli ho con le della un come nel questo lo",
    "nl": "ik het een niet van mijn de en dat is op te voor met wat hoe kan heb er zijn",
}
_LANGUAGES_OF: dict[str, tuple[str, ...]] = {}
for _language, _words in _STOP_WORDS.items():
    for _word in _words.split():
        _LANGUAGES_OF[_word] = (*_LANGUAGES_OF.get(_word, ()), _language)
_WORD = re.compile(r"[^\W\d_]+")
_NAMES = {
    "zh": "Chinese", "ja": "Japanese", "ko": "Korean", "en": "English", "de": "German",
    "fr": "French", "es": "Spanish", "pt": "Portuguese", "it": "Italian", "nl": "Dutch",
    "latin": "Latin script, language untold", "none": "no letters",
}  # fmt: skip
_SCRIPTS = {
    "LATIN": "latin",
    "CJK": "zh",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
    "HANGUL": "ko",
}


def guess_language(text: str) -> str:
    """Language or script of a text.

    Returns:
        A code such as ``"en"`` or ``"zh"``; ``"latin"`` where only the script can be told; the
        script's name such as ``"cyrillic"``; ``"none"`` for a text without letters.

    Example:
        >>> [guess_language(text) for text in ("how can I find it", "我的卡丢了", "42")]
        ['en', 'zh', 'none']
    """
    head = text[:_LETTERS_READ]
    if head.isascii():
        return _by_words(head) if any(map(str.isalpha, head)) else "none"
    scripts = Counter(
        _SCRIPTS.get(name := unicodedata.name(c, "OTHER").split()[0].split("-")[0], name.lower())
        for c in head
        if c.isalpha()
    )
    if not scripts:
        return "none"
    if scripts["ja"] and scripts["ja"] + scripts["zh"] > sum(scripts.values()) / 2:
        return "ja"
    # A Chinese character says as much as several letters.
    scripts["zh"] *= 3
    script = scripts.most_common(1)[0][0]
    return _by_words(head) if script == "latin" else script


def _by_words(text: str) -> str:
    hits = Counter(
        language
        for word in set(_WORD.findall(text.lower()))
        for language in _LANGUAGES_OF.get(word, ())
    )
    ranked = hits.most_common(2)
    if not ranked or ranked[0][1] < 2 or (len(ranked) > 1 and ranked[1][1] == ranked[0][1]):
        return "latin"
    return ranked[0][0]


def mixed_languages(subject: Subject) -> Finding:
    """More than one language (PF157).

    Example:
        >>> mixed_languages(Subject.of(["where is my card", "我的卡在哪里"])).detail
        '1 text are not in English: English 50.0%, Chinese 50.0%'
    """
    code, title = "PF157", "The texts are in one language"
    guesses = [guess_language(text) for text in subject.dataset.texts]
    told = Counter(guess for guess in guesses if guess not in ("latin", "none"))
    shares = ", ".join(
        f"{_NAMES.get(code_, code_)} {n / len(guesses):.1%}"
        for code_, n in Counter(guesses).most_common(6)
    )
    if not told:
        return not_applicable(code, title, f"no language could be told: {shares}")
    main = told.most_common(1)[0][0]
    # Latin letters of no told language belong to the main one unless that has its own script.
    own = {main, "none"} | ({"latin"} if main in _STOP_WORDS else set())
    others = [i for i, guess in enumerate(guesses) if guess not in own]
    if len(others) <= MAX_OTHER * len(guesses):
        return passed(code, title, shares)
    return Finding(
        code,
        title,
        Status.FAILED,
        f"{counted(len(others), 'text')} are not in {_NAMES.get(main, main)}: {shares}",
        "Choose a multilingual backbone, or one project for each language.",
        subject.show(others),
        len(others),
    )
