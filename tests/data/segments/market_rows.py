"""Messages of three made-up markets, in English and in Chinese, of which each word is known."""

from __future__ import annotations

import numpy as np
import polars as pl

from payoff.data.dataset import Dataset

THEMES = {
    "clinic": ("doctor appointment", "appointment soon", "cancel appointment", "new appointment"),
    "shop": ("parcel refund", "parcel late", "parcel broken", "lost parcel"),
    "bank": ("blocked card", "stolen card", "card transfer", "card failed"),
}
CHINESE = {
    "送餐": ("送餐太慢了", "送餐等了两小时", "今天送餐又迟到", "骑手送餐不及时"),
    "味道": ("味道很好", "味道不错下次再来", "菜的味道一般", "味道太咸了"),
    "发票": ("没有发票", "怎么开发票", "发票抬头错了", "发票还没收到"),
}
FILLERS = ("my", "the", "please can you", "I want to", "hello", "what about the", "it is", "why")


def english(n: int = 60, *, seed: int = 0) -> Dataset:
    """``n`` rows of each theme, shuffled, with the theme in the column ``market``."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"{rng.choice(FILLERS)} {rng.choice(parts)} {rng.integers(100, 999)}", theme)
        for theme, parts in THEMES.items()
        for _ in range(n)
    ]
    rng.shuffle(rows)
    table = pl.DataFrame({"text": [row[0] for row in rows], "market": [row[1] for row in rows]})
    return Dataset.from_frame(table, text="text", source="rows.csv")


def chinese(n: int = 40) -> Dataset:
    """``n`` rows of each Chinese theme."""
    texts = [f"{parts[i % 4]}。" for parts in CHINESE.values() for i in range(n)]
    return Dataset.from_frame(pl.DataFrame({"text": texts}), text="text", source="评价.csv")
