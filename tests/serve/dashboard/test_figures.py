"""Pages of figures over weeks of a made-up shop: what they say is what the journal holds."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from payoff.core.money import format_money
from payoff.economics.desk import Desk
from payoff.learn.experiments.book import course_of, look_now
from payoff.learn.experiments.tick import tick
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.tables import alert_events, decisions
from payoff.learn.versions import release
from payoff.learn.watching import kept_reference
from payoff.learn.watching.alert_book import AlertBook
from payoff.learn.watching.journal_window import oldest
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.topics import NewTopic
from payoff.learn.watching.watched_model import WatchedModel, model_of
from payoff.serve.dashboard import drift

from . import shop
from .conftest import NASTY, House

Open = Callable[..., House]


@pytest.fixture
def home(shop_home: Open) -> House:
    return shop_home(keyed=False)


def text_of(shown: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", shown)))


def chart_of(shown: str) -> dict[str, list[float]]:
    found = re.search(r'data-chart="([^"]+)"', shown)
    assert found
    made: dict[str, list[float]] = json.loads(html.unescape(found[1]))
    return made


def test_the_range_chooses_the_days_and_every_day_has_its_date(home: House) -> None:
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    week = (datetime.now(UTC) - timedelta(days=6)).strftime("%Y-%m-%d")
    shown = home.look("?range=7")
    assert f"{week} to {today}, in UTC" in text_of(shown)
    names = chart_of(shown)["names"]
    assert (len(names), names[0], names[-1]) == (7, week, today)
    with home.journal.reading() as connection:
        worth = func.sum(decisions.c.worth)
        mine = decisions.c.time_utc >= week
        total = connection.execute(select(worth).where(mine)).scalar_one()
        whole = connection.execute(select(worth)).scalar_one()
    assert sum(chart_of(shown)["bars"]) == pytest.approx(total, abs=0.01)
    everything = home.look("?range=all")
    assert sum(chart_of(everything)["bars"]) == pytest.approx(whole, abs=0.01)
    assert len(chart_of(everything)["names"]) > 35
    assert 'aria-current="true">All</a>' in everything
    one = home.look("?range=today")
    assert chart_of(one)["names"] == [today]
    assert home.look("?range=<script>") == home.look("?range=<script>")
    assert "<script>alert" not in home.look("?range=<script>alert(1)</script>")


def test_decisions_and_errors_add_up(home: House, desk: Desk) -> None:
    said = text_of(home.look("/decisions?range=all"))
    n = home.journal.count()
    assert f"Decisions {n:,} Handed to people" in said
    with home.journal.reading() as connection:
        by_action = connection.execute(
            select(decisions.c.action, func.count()).group_by(decisions.c.action)
        ).all()
    for action, count in by_action:
        assert f"{action} {count:,} " in said
    # A pair by hand: one more refund that was taken for a card.
    lost = 3.2 - -7.5
    before = re.search(r"refund card ([\d,]+) ([\d,.]+) USD", said)
    with home.journal.reading() as connection:
        mine = (decisions.c.action == "card") & decisions.c.request_id.startswith("shop-")
        told = connection.execute(select(decisions.c.request_id).where(mine)).scalars().all()
    take(home.journal, [Feedback(told[0], label="refund", time_utc=shop.at(datetime.now(UTC)))])
    after = re.search(
        r"refund card ([\d,]+) ([\d,.]+) USD", text_of(home.look("/decisions?range=all"))
    )
    assert after
    n_before = int(before[1].replace(",", "")) if before else 0
    assert int(after[1].replace(",", "")) - n_before in (0, 1)  # 0 where it was known as that
    assert float(after[2].replace(",", "")) == pytest.approx(lost * int(after[1]), abs=0.51)


def test_costs_stand_against_the_budget_by_month_and_step(shop_home: Open) -> None:
    home = shop_home(keyed=False)
    said = text_of(home.look("/costs"))
    this = datetime.now(UTC).strftime("%Y-%m")
    total = 300 * 0.05 + 80 * 0.08 + 2 * 0.05
    assert f"{this} 15.00 USD 6.40 USD 0.10 USD {total:.2f} USD" in said
    assert "Lines without a price: 1." in said
    assert "No budget is stated. Write per_month" in said
    chart = chart_of(home.look("/costs"))
    assert chart["bars"][-1] == pytest.approx(total)
    assert len(chart["names"]) == 3


def test_an_experiment_is_told_as_a_look_tells_it(home: House) -> None:
    shown = home.look("/experiments")
    said = text_of(shown)
    look = look_now(home.journal, course_of(home.journal, "more-labels"))
    assert "more-labels running at 50%" in said
    ends = sorted((abs(look.gain.low), abs(look.gain.high)))
    assert f"{look.gain.estimate:+.2f} USD" in said
    assert all(f"{end:.2f} USD" in said for end in ends)
    chart = chart_of(shown)
    assert chart["high"][-1] == pytest.approx(look.gain.high, abs=1e-4)
    assert chart["low"][-1] == pytest.approx(look.gain.low, abs=1e-4)
    assert 2 <= len(chart["names"]) <= 15
    widths = [high - low for low, high in zip(chart["low"], chart["high"], strict=True)]
    assert widths[-1] < widths[0]
    for step in ("1%", "5%", "25%", "50%"):
        assert step in said
    for code in ("PF740", "PF741", "PF742", "PF743", "PF744"):
        assert code in said
    over = text_of(home.look("/experiments?experiment=cheaper-model"))
    assert "Stopped on" in over
    missing = home.client.get("/dashboard/experiments?experiment=nobody")
    assert missing.status_code == 404
    assert "PF732" in missing.text


def test_a_shadow_is_told_as_one_and_earns_nothing(
    house: Open, desk: Desk, journal: Journal
) -> None:
    now = datetime.now(UTC)
    shop.compare(journal, desk, "beside", now, 6, effect=1.5, mode=shop.Mode.SHADOW, per_day=60.0)
    home = house(keyed=False, texts=[])
    said = text_of(home.look("/experiments"))
    assert "beside in the shadow" in said
    assert "asked beside the old one and does not act" in said
    with journal.reading() as connection:
        ids = connection.execute(select(decisions.c.request_id)).scalars().all()
    acted = [one for one in ids if not one.endswith("#shadow")]
    assert len(acted) == len(ids) / 2
    assert f"Decisions {len(acted):,} Handed" in text_of(home.look("/decisions?range=all"))
    waits = sum(one.action == "handoff" for one in journal.read(10_000)) / 2
    queue = text_of(home.client.get("/dashboard/review").text)
    assert f"{waits:,.0f} requests wait." in queue


def test_drift_is_shown_and_looking_changes_nothing(home: House, desk: Desk) -> None:
    with home.journal.reading() as connection:
        before = connection.execute(select(func.count(alert_events.c.id))).scalar_one()
    shown = home.look("/drift")
    said = text_of(shown)
    with home.journal.reading() as connection:
        assert connection.execute(select(func.count(alert_events.c.id))).scalar_one() == before
    (state,) = AlertBook(home.journal).states().values()
    assert f"{format_money(state.alert.a_day, 'USD')} lost a day" in said
    assert "open " in said
    assert f'payoff watch silence "loss {desk.name}' in said
    assert "Which inputs drifted" in said
    assert "How sure the model is" in said
    chart = chart_of(shown)
    assert chart["estimate"][-3] > chart["estimate"][0]
    until = shop.at(datetime.now(UTC) + timedelta(days=2))
    AlertBook(home.journal).silence(state.alert.key, until_utc=until)
    assert f"silenced until {until[:10]}" in text_of(home.look("/drift"))
    AlertBook(home.journal).end(state.alert.key, {})
    assert "over" in text_of(home.look("/drift"))


def with_test_rows(desk: Desk, journal: Journal) -> WatchedModel:
    """The served model, as if its test rows had come with the artifact."""
    model = model_of(desk.artifact)
    first = oldest(journal, model, 300)
    rows = Reference.of(first.window, model.labels, keep_words=False)
    return replace(model, reference=rows.to_dict())


def test_what_is_usual_is_named(home: House, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first = text_of(home.look("/drift"))
    assert "Usual is what its first 1,000 requests here were like." in first
    assert "Grey are the first requests" in first
    assert "通常情况取自这里最初的 1,000 次请求" in home.look("/drift?lang=zh")
    model = with_test_rows(desk, home.journal)
    # As kind as the first requests were, so that the rows stay what is compared with.
    monkeypatch.setattr(kept_reference, "_surely_better", lambda *_: False)
    monkeypatch.setattr(drift, "model_of", lambda _: model)
    launch = text_of(home.look("/drift?lang=en&range=7"))
    assert "Usual is how the model decides the 300 test rows that came with it" in launch
    assert "Grey are the model's test rows" in launch
    assert "通常情况取自模型自带的 300 行测试数据" in home.look("/drift?lang=zh&range=7")
    for said in (first, launch):
        assert "quiet period" not in said


def test_a_model_with_test_rows_waits_for_one_request(
    house: Open, home: House, desk: Desk, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = with_test_rows(desk, home.journal)
    monkeypatch.setattr(drift, "model_of", lambda _: model)
    empty = house(texts=[], keyed=False)
    assert "No request has come yet. The first ones are compared" in empty.look("/drift")
    assert "of the first" not in text_of(empty.look("/drift"))


def test_a_hold_back_and_its_roll_back_are_shown(home: House, desk: Desk) -> None:
    shop.promote_bad(home.journal, desk, datetime.now(UTC))
    said = text_of(home.look("/experiments?experiment=kinder-words-hold-back"))
    assert "kinder-words-hold-back 5% held back" in said
    assert "A few customers stay with the old one for at most 28 days" in said
    assert "The worst that this can cost until then is " in said
    assert "Roll back: the new version does harm." in said
    chinese = home.look("/experiments?experiment=kinder-words-hold-back&lang=zh")
    assert "5% 留在旧版本" in chinese
    assert "回退：新版本有害。" in chinese
    assert "rolled back" in [one.done for one in tick(home.journal)]
    home.client.get("/dashboard?lang=en")
    after = text_of(home.look("/experiments?experiment=kinder-words-hold-back&range=all"))
    assert "Rolled back on " in after
    alerts = text_of(home.look("/drift?range=all"))
    assert "rolled back" in alerts
    assert "Against the customers who were held back; written on " in alerts
    assert "已回退" in home.look("/drift?lang=zh&range=all")
    versions = text_of(home.client.get("/dashboard/versions?lang=en").text)
    assert "payoff, by itself" in versions
    assert "Roll back: it loses " in versions


def test_a_hold_back_that_was_overtaken_names_no_winner(home: House, desk: Desk) -> None:
    shop.promote_bad(home.journal, desk, datetime.now(UTC))
    release(home.journal, desk.name, "e" * 64)
    assert "stopped" in [one.done for one in tick(home.journal)]
    said = text_of(home.look("/experiments?experiment=kinder-words-hold-back"))
    assert "another version was released meanwhile" in said
    assert "the old version decides" not in said


def test_what_happened_is_told_in_words(home: House) -> None:
    said = text_of(home.look("/versions"))
    log = said.partition("Experiments")[2]
    assert "cheaper-model" in log
    assert "Stop: no gain in sight" in log
    assert not set("{}[]") & set(log), "no value as the programming language writes it"
    assert "None" not in log


def test_pages_speak_chinese(home: House) -> None:
    for path, said in (
        ("/experiments", "每次请求的收益差"),
        ("/drift", "哪些输入发生了漂移"),
        ("/costs", "成本与预算"),
        ("/decisions", "决策与错误"),
    ):
        shown = home.look(f"{path}?lang=zh")
        assert said in shown
        body = re.sub(r'<span[^>]*lang="en".*?</span>|<code>.*?</code>', "", shown)
        assert "requests" not in text_of(body.split("<main")[1])


def test_what_is_added_up_is_waited_for(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from payoff.serve.dashboard import pages

    monkeypatch.setattr(pages.Kept, "get", lambda *_: None)
    for path in ("", "/decisions", "/costs", "/experiments", "/drift"):
        answer = home.client.get(f"/dashboard{path}")
        assert answer.status_code == 200
        assert "This is being added up." in answer.text
        assert "waits.js" in answer.text
        assert 'aria-current="page"' in answer.text


def test_new_topics_are_shown_as_texts(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from payoff.learn.watching import glance

    topic = NewTopic(("crypto", "wallet"), (NASTY, "钱包里的币"), 40, 0.9, 12.5)
    monkeypatch.setattr(glance, "topics_of", lambda *_: (topic,))
    shown = home.look("/drift?lang=zh")
    assert html.escape(NASTY)[:20] in shown
    assert "<script>alert" not in shown
    assert "crypto · wallet 40 次请求" in text_of(shown)
    assert "12.50 USD" in shown
    assert "钱包里的币" in shown
