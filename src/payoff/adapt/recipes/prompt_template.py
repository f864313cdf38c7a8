"""How a text and a label are put into words for a generative model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from payoff.adapt.recipes.zero_shot import words

_CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
_TURN = "<|im_start|>{}\n"
_END_OF_TURN = "<|im_end|>"
_ASKED = f"{_END_OF_TURN}\n{_TURN.format('assistant')}"


@dataclass(frozen=True, slots=True)
class Template:
    """The words around a text.

    A prompt is ``head``, then some examples, then the text: each is ``opening``, text,
    ``closing``, label, ``end``; the last one stops before the label.

    Args:
        name: What the setting ``template`` calls it.
        head: Told once; ``{labels}`` is where the labels are listed, if they are.
        opening: Before a text.
        closing: Between a text and its label.
        end: After a label.
        space: Between ``closing`` and the label; a part of the label for the tokenizer.
        gap: Between an example and what comes next.
        chat: Made for a model that was trained on turns in ChatML.
        chinese: For texts in Chinese.
    """

    name: str
    head: str
    opening: str
    closing: str
    end: str
    space: str = " "
    gap: str = "\n"
    chat: bool = False
    chinese: bool = False

    def label(self, label: str) -> str:
        """A label's words as they stand in the prompt."""
        return self.space + label

    def filled_head(self, names: Sequence[str], meanings: Sequence[str]) -> str:
        """The head with the labels, and with what they mean where that is known.

        Args:
            names: Words of each label, ``n_labels``.
            meanings: A description of each, empty where there is none, ``n_labels``.

        Example:
            >>> TEMPLATES[0].filled_head(["card", "refund"], ["", ""])
            ''
            >>> print(TEMPLATES[0].filled_head(["card", "refund"], ["about a card", ""]))
            Labels:
            - card: about a card
            - refund
            <BLANKLINE>
            <BLANKLINE>
        """
        if not any(meanings):
            listed = ("；" if self.chinese else "; ").join(names)
            return self.head.replace("{labels}", listed)
        colon = "：" if self.chinese else ": "
        lines = [
            f"- {n}{colon}{m}" if m else f"- {n}" for n, m in zip(names, meanings, strict=True)
        ]
        listed = "\n" + "\n".join(lines) + "\n"
        if "{labels}" in self.head:
            return self.head.replace("{labels}", listed)
        return f"{'类别：' if self.chinese else 'Labels:'}{listed}\n{self.head}"

    def example(self, text: str, label: str) -> str:
        """A text with its label, as a model is shown one."""
        return f"{self.opening}{text}{self.closing}{self.label(label)}{self.end}{self.gap}"


def _chat(name: str, instruction: str, *, chinese: bool = False) -> Template:
    """Turns in ChatML: the instruction is the system's, the text the user's."""
    return Template(
        name,
        head=f"{_TURN.format('system')}{instruction}{_END_OF_TURN}\n",
        opening=_TURN.format("user"),
        closing=_ASKED,
        end=_END_OF_TURN,
        space="",
        chat=True,
        chinese=chinese,
    )


TEMPLATES = (
    Template("topic", "", "Message: ", "\nTopic:", "\n"),
    Template("about", "", 'Somebody wrote: "', '"\nThis is about', ".\n"),
    Template(
        "choice",
        "Each message belongs to one of these labels: {labels}.\n\n",
        "Message: ",
        "\nLabel:",
        "\n",
    ),
    _chat("chat", "Say in a few words what the user's message is about."),
    _chat(
        "chat-choice",
        "Sort the user's message under one of these labels: {labels}. Answer with the label only.",
    ),
    Template("chinese", "", "消息：", "\n类别：", "\n", space="", chinese=True),
    Template(
        "chinese-choice",
        "每条消息属于以下类别之一：{labels}。\n\n",
        "消息：",
        "\n类别：",
        "\n",
        space="",
        chinese=True,
    ),
    _chat(
        "chinese-chat",
        "把用户的消息归入以下类别之一：{labels}。只回答类别。",
        chinese=True,
    ),
)
"""All templates; the first of a script is the one to take where nothing tells which is best."""


def templates_for(texts: Sequence[str], *, chat: bool) -> tuple[Template, ...]:
    """The templates of the script of most of the texts.

    Args:
        texts: Texts to be sorted.
        chat: Whether the model knows ChatML.

    Example:
        >>> [template.name for template in templates_for(["退款没有到账"], chat=False)]
        ['chinese', 'chinese-choice']
    """
    chinese = is_chinese(texts)
    return tuple(t for t in TEMPLATES if t.chinese == chinese and (chat or not t.chat))


def is_chinese(texts: Sequence[str]) -> bool:
    """Whether most texts hold Chinese characters.

    Example:
        >>> is_chinese(["退款没有到账", "我的卡", "where is it"])
        True
    """
    return 2 * sum(_CHINESE.search(text) is not None for text in texts) > len(texts)


def spoken(labels: Sequence[str]) -> tuple[str, ...]:
    """What each label is called in a prompt: its words, or itself where two would be alike.

    Example:
        >>> spoken(["card_arrival", "lost-card", "Lost_card"])
        ('card arrival', 'lost-card', 'Lost_card')
    """
    said = [words(label) for label in labels]
    return tuple(
        label if said.count(word) > 1 else word for label, word in zip(labels, said, strict=True)
    )


def meanings_of(labels: Sequence[str], descriptions: Mapping[str, str]) -> tuple[str, ...]:
    r"""The description of each label on one line; empty where there is none.

    Example:
        >>> meanings_of(["a", "b"], {"b": "what b\n means "})
        ('', 'what b means')
    """
    return tuple(" ".join(descriptions.get(label, "").split()) for label in labels)
