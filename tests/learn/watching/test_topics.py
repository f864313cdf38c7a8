from __future__ import annotations

import numpy as np

from payoff.learn.watching.topics import new_topics

ASKED = (
    "where is my card",
    "my card was declined",
    "how do I top up",
    "the transfer failed",
    "I want a refund",
    "please close my account",
    "change my address",
    "what are the fees",
)


def usual(n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    ends = ("today", "again", "please help", "in Lisbon", "at the shop", "since Monday", "", "now")
    return [f"{rng.choice(ASKED)} {rng.choice(ends)} {rng.integers(100)}" for _ in range(n)]


def test_a_new_intent_is_found_with_its_words_and_its_money() -> None:
    rng = np.random.default_rng(0)
    starts = ("can I pay with", "do you take", "I would like to use", "how about")
    ends = ("for my order", "in the shop", "today", "from my phone")
    new = [f"{rng.choice(starts)} my crypto wallet {rng.choice(ends)}" for _ in range(50)]
    texts = new + usual(300, 1)
    unsure = np.arange(150)
    topics = new_topics(texts, unsure, np.full(350, 2.0), before=usual(100, 2))
    assert topics
    first = topics[0]
    assert "crypto" in first.name
    assert first.at_stake == 2.0 * first.n
    assert all("crypto" in example for example in first.examples)
    assert first.stability >= 0.6


def test_chinese_needs_no_dictionary() -> None:
    rng = np.random.default_rng(1)
    verbs = ("可以用", "怎么绑定", "我想用", "支持不支持")
    ends = ("付款吗", "转账", "买东西", "充值呢")
    new = [f"{rng.choice(verbs)}数字钱包{rng.choice(ends)}" for _ in range(50)]
    asked = ("我的卡丢了", "退款还没到", "怎么修改密码", "手续费是多少", "转账失败了", "注销账户")
    after = ("请帮忙", "怎么办", "昨天", "急", "谢谢", "在吗")
    old = [f"{rng.choice(asked)}{rng.choice(after)}{rng.integers(99)}" for _ in range(200)]
    topics = new_topics(new + old, np.arange(130), np.ones(250))
    assert any("数字钱包" in example for topic in topics for example in topic.examples)


def test_what_came_before_is_not_new() -> None:
    texts = usual(400, 3)
    assert new_topics(texts, np.arange(200), np.ones(400), before=usual(200, 4)) == ()


def test_few_texts_and_little_money_are_not_told() -> None:
    new = [f"my crypto wallet number {i}" for i in range(80)]
    assert new_topics(new[:59], np.arange(59), np.ones(59)) == ()
    assert new_topics(new, np.arange(80), np.ones(80), least_at_stake=1000.0) == ()
    assert new_topics(["?"] * 80, np.arange(80), np.ones(80)) == ()
