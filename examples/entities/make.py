"""Compose train.jsonl and test.jsonl: short support messages and what they name.

Usage: ``python make.py [folder]``. Standard library only. The same seed gives the same bytes: only
``random.Random.random`` is drawn from, whose stream Python keeps across versions.

Test messages name products and persons that no training message has, and half of them are put in
ways that no training message is.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

HERE = Path(__file__).parent
SEED = 2026
N_TRAIN, N_TEST = {"en": 210, "zh": 130}, {"en": 80, "zh": 50}
T = TypeVar("T")

PRODUCTS = {
    "train": {
        "en": [
            *("Aurora kettle", "Halden desk lamp", "Brook 12 backpack", "Nimbus rain jacket"),
            *("Torvik bookshelf", "Pebble speaker", "Juno running shoes", "Marlow armchair"),
            *("Linden cutting board", "Skye wool blanket", "Orbit robot vacuum", "Vela headphones"),
            *("Tundra tent", "Fern watering can", "Cobalt pan set", "Ridge 40 suitcase"),
        ],
        "zh": [
            *("云朵枕头", "星河台灯", "小熊电饭煲", "青竹茶具", "晨光背包", "暖阳毛毯"),
            *("疾风跑鞋", "静音吸尘器", "木语书架", "蓝鲸耳机", "松果音箱", "海盐保温杯"),
        ],
    },
    "test": {
        "en": [
            *("Sorrel toaster", "Kestrel bike helmet", "Mistral fan", "Oslo 7 floor lamp"),
            *("Pixel Garden planter", "Harbor rain boots", "Lyra keyboard", "Bramble quilt"),
        ],
        "zh": ["极光投影仪", "白鹭雨伞", "山野帐篷", "轻羽羽绒服", "琥珀花瓶", "飞鱼泳镜"],
    },
}
PERSONS = {
    "train": {
        "en": [
            *("Marta Lindqvist", "Tom Okafor", "Priya Nair", "Ana", "Jonas Weber", "Mrs Delaney"),
            *("Samuel Ortiz", "Chloe Bennett", "Yusuf", "Ingrid Dahl", "Peter Novak", "Mr Haines"),
            *("Leila Farouk", "Ben", "Katarzyna Wolska", "Daniel Kim"),
        ],
        "zh": [
            *("王丽华", "李建国", "张小敏", "陈志远", "刘女士", "赵先生", "黄晓雯", "周涛"),
            *("吴佳", "孙文博"),
        ],
    },
    "test": {
        "en": [
            *("Rosa Castellano", "Viktor Hale", "Amara Diallo", "Fiona", "Mr Petrov"),
            *("Hannah Scholz", "Oscar Lund", "Ms Whitfield"),
        ],
        "zh": ["林思远", "徐海燕", "郑女士", "何伟", "马先生", "高雅琴"],
    },
}
DATES = {
    "en": [
        *("yesterday", "last Friday", "3 March", "12 November", "04/07", "2026-02-18"),
        *("Monday morning", "the 21st", "next Tuesday", "March 9th", "two weeks ago", "5 May 2026"),
        *("tomorrow", "28 Aug", "Sunday", "the 2nd of June"),
    ],
    "zh": [
        *("昨天", "上周五", "3月8日", "11月12号", "明天", "2026年2月18日", "星期一"),
        *("前天", "下周二", "5月20日", "9月1号"),
    ],
}
# What is in braces is named; the rest is not, numbers of other kinds among it.
TEMPLATES = {
    "train": {
        "en": [
            "Where is my order {ORDER}? It was due {DATE}.",
            "I ordered the {PRODUCT} {DATE} and it still is not here",
            "hi, order {ORDER} arrived with the {PRODUCT} broken, can I get {AMOUNT} back?",
            "You charged me {AMOUNT} twice for the {PRODUCT}.",
            "Please cancel {ORDER}, I no longer want the {PRODUCT}",
            "{PERSON} from your team promised me a refund of {AMOUNT} {DATE}.",
            "My name is {PERSON} and I want to return the {PRODUCT} bought {DATE}",
            "The {PRODUCT} costs {AMOUNT} now, I paid {AMOUNT}. Can you match it?",
            "can you change the delivery of {ORDER} to {DATE}",
            "Is the {PRODUCT} back in stock {DATE}?",
            "I spoke to {PERSON} about {ORDER} and nothing happened",
            "refund for {ORDER} should be {AMOUNT}, I only got {AMOUNT}",
            "The invoice for {ORDER} names {PERSON} but it should say {PERSON}",
            "Does the {PRODUCT} come with a 2 year warranty?",
            "I waited 45 minutes on the phone before {PERSON} answered",
            "I have called 3 times about this and nobody helps me",
            "My postcode is wrong, can I change it?",
            "The parcel with {ORDER} was left with {PERSON} next door",
            "What is the shipping fee? Last time it was {AMOUNT}",
            "I returned the {PRODUCT} {DATE}, when do I get my {AMOUNT}?",
            "{ORDER} says delivered {DATE} but there is nothing in front of my door",
            "Could {PERSON} call me back about the {PRODUCT}?",
            "do you ship to Norway within 5 days",
            "Two of the 6 screws for the {PRODUCT} are missing",
            "Thank you {PERSON}, the {PRODUCT} works again",
            "I want to pay {ORDER} in 3 rates of {AMOUNT}",
        ],
        "zh": [
            "我的订单{ORDER}到哪里了？说好{DATE}到的。",
            "{DATE}买的{PRODUCT}还没有发货",
            "订单{ORDER}里的{PRODUCT}坏了，可以退{AMOUNT}吗",
            "你们为{PRODUCT}扣了我两次{AMOUNT}",
            "请取消{ORDER}，我不想要{PRODUCT}了",
            "客服{PERSON}{DATE}答应给我退{AMOUNT}",
            "我叫{PERSON}，想退{DATE}买的{PRODUCT}",
            "{PRODUCT}现在只要{AMOUNT}，我付了{AMOUNT}，能退差价吗",
            "{ORDER}能不能改到{DATE}送",
            "{PRODUCT}什么时候有货？",
            "我跟{PERSON}说过{ORDER}的事，一直没人处理",
            "打了3次电话都没有人接",
            "收货人应该是{PERSON}，不是{PERSON}",
            "{PRODUCT}保修2年吗",
            "运费怎么算？上次是{AMOUNT}",
            "{ORDER}显示{DATE}已签收，可是我没收到",
            "请让{PERSON}给我回电话",
            "谢谢{PERSON}，{PRODUCT}修好了",
        ],
    },
    "test": {
        "en": [
            "the {PRODUCT} in {ORDER} is the wrong colour, please send another by {DATE}",
            "Hello, this is {PERSON}. You still owe me {AMOUNT} since {DATE}.",
            "Why was {AMOUNT} taken from my account for {ORDER}?",
            "{PERSON} told me that the {PRODUCT} would be {AMOUNT} cheaper",
            "Gift for {PERSON}: can the {PRODUCT} be wrapped before {DATE}",
            "Nobody has answered my 4 emails, is this shop still open?",
            "could you resend the receipt of {ORDER}, it was {AMOUNT}",
        ],
        "zh": [
            "{ORDER}里的{PRODUCT}颜色发错了，{DATE}之前能换吗",
            "您好，我是{PERSON}，{DATE}的{AMOUNT}还没退给我",
            "为什么{ORDER}扣了{AMOUNT}",
            "{PERSON}说{PRODUCT}可以便宜{AMOUNT}",
            "发了4封邮件都没人回",
        ],
    },
}
OPENERS = {
    "en": ["", "", "", "Hi, ", "Hello there. ", "ok so ", "Dear team, ", "Urgent! "],
    "zh": ["", "", "", "你好，", "在吗？", "麻烦看一下，"],
}
CLOSERS = {
    "en": ["", "", "", " Thanks!", " please help", " This is the 2nd time.", " Regards"],
    "zh": ["", "", "", "，谢谢", "，急！", "。请尽快回复"],
}


class Dice:
    """Draws that are the same in every version of Python."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def number(self, below: int) -> int:
        """From 0 to below ``below``."""
        return int(self._random.random() * below)

    def one(self, of: Sequence[T]) -> T:
        """One of some."""
        return of[self.number(len(of))]


def order(dice: Dice, language: str) -> str:
    """An order number of one of the shop's shapes."""
    digits = "".join(str(dice.number(10)) for _ in range(6))
    letters = "".join("ABCDEFGHKLMNPRSTUVWXYZ"[dice.number(22)] for _ in range(2))
    return dice.one([f"PO-{digits}", f"#{digits}", f"{letters}{digits}", f"{digits[:3]}-{digits}"])


def amount(dice: Dice, language: str) -> str:
    """An amount of money, as people write it."""
    whole, cents = 3 + dice.number(400), dice.number(100)
    if language == "zh":
        return dice.one([f"{whole}元", f"{whole}.{cents:02}元", f"{whole}块", f"¥{whole}"])
    return dice.one(
        [f"${whole}", f"${whole}.{cents:02}", f"{whole} dollars", f"€{whole}", f"{whole} EUR"]
    )


def message(dice: Dice, language: str, part: str, *, new_way: bool) -> dict[str, object]:
    """One message and its entities."""
    makers: dict[str, Callable[[], str]] = {
        "ORDER": lambda: order(dice, language),
        "AMOUNT": lambda: amount(dice, language),
        "DATE": lambda: dice.one(DATES[language]),
        "PRODUCT": lambda: dice.one(PRODUCTS[part][language]),
        "PERSON": lambda: dice.one(PERSONS[part][language]),
    }
    text = dice.one(OPENERS[language])
    entities = []
    template = dice.one(TEMPLATES["test" if new_way else "train"][language])
    for piece in re.split(r"(\{[A-Z]+\})", template):
        if piece.startswith("{"):
            name = makers[piece[1:-1]]()
            entities.append(
                {"start": len(text), "end": len(text) + len(name), "label": piece[1:-1]}
            )
            piece = name
        text += piece
    return {"text": text + dice.one(CLOSERS[language]), "entities": entities}


def messages(part: str, counts: dict[str, int]) -> list[dict[str, object]]:
    """The distinct messages of one part, languages in turn."""
    dice = Dice(SEED + (part == "test"))
    rows: dict[str, dict[str, object]] = {}
    for language, count in counts.items():
        wanted = len(rows) + count
        while len(rows) < wanted:
            new_way = part == "test" and dice.number(2) == 1
            row = message(dice, language, part, new_way=new_way)
            rows.setdefault(str(row["text"]), row)
    return list(rows.values())


def main(folder: Path) -> None:
    """Write both files."""
    for part, counts in (("train", N_TRAIN), ("test", N_TEST)):
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in messages(part, counts)]
        (folder / f"{part}.jsonl").write_text("".join(lines), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
