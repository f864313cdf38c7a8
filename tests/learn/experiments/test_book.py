from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from payoff.core.errors import ServiceError
from payoff.learn.experiments import book
from payoff.learn.experiments.course import EXAMPLE, Course
from payoff.learn.experiments.experiment import Mode
from payoff.learn.experiments.look import Look
from payoff.learn.experiments.recommendation import Advice, Recommendation
from payoff.learn.journal import Journal

PLAIN, POLICY = EXAMPLE.experiment, EXAMPLE.policy


def begun(journal: Journal, **rules: object) -> Course:
    return book.start(journal, replace(PLAIN, **rules), POLICY)  # type: ignore[arg-type]


def advised(look: Look, advice: Advice, share: float | None = None) -> Look:
    return replace(look, recommendation=Recommendation(advice, "so it is", share))


def test_the_whole_life_of_an_experiment(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        assert book.courses(journal) == []
        assert book.running_on(journal, "support") is None
        course = begun(journal)
        assert course.experiment == PLAIN
        assert course.policy.to_dict() == POLICY.to_dict()
        assert course.share == 0.01
        for share in (0.05, 0.25):
            course = book.ramp(journal, "new-head", share)
        assert [stage.share for stage in course.stages] == [0.01, 0.05, 0.25]
        times = [stage.since_utc for stage in course.stages]
        assert times == sorted(times)
    with Journal.open(books_url) as journal:
        found = book.running_on(journal, "support")
        assert found is not None
        assert found.stages == course.stages
        look = book.look_now(journal, found)
        over = book.stop(journal, why="enough", look=look)
        assert (over.share, over.running, over.over) == (0.0, False, "stopped")
        assert over.facts["why"] == "enough"
        assert over.facts["look"]["gain_per_request"]["low"] == -28.0
        assert book.running_on(journal, "support") is None
        second = begun(journal, name="second")
        assert book.promote(journal).share == 1.0
        assert book.course_of(journal).experiment.name == second.experiment.name
        assert [c.over for c in book.courses(journal)] == ["stopped", "promoted"]


def test_one_running_experiment_a_model(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        begun(journal)
        with pytest.raises(ServiceError, match=r"PF731 model 'support': the experiment 'new-head'"):
            begun(journal, name="second")
        begun(journal, name="second", model="other")
        assert book.course_of(journal).experiment.name == "second"


def test_a_name_is_used_once(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        begun(journal)
        book.stop(journal)
        with pytest.raises(ServiceError, match="PF735 experiment 'new-head'"):
            begun(journal, model="other")


def test_what_is_not_there(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        with pytest.raises(ServiceError, match="PF732 experiment: there is none in this journal"):
            book.stop(journal)
        begun(journal)
        with pytest.raises(ServiceError, match=r"PF732.*Did you mean 'new-head'"):
            book.ramp(journal, "new-haed", 0.5)


def test_what_is_over_stays_over(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        begun(journal)
        book.stop(journal)
        for call in (book.stop, book.promote):
            with pytest.raises(ServiceError, match="PF733 experiment 'new-head': it was stopped"):
                call(journal, "new-head")
        with pytest.raises(ServiceError, match="PF733"):
            book.ramp(journal, "new-head", 0.5)


@pytest.mark.parametrize("share", [0.01, 0.005, 0.0, 1.0, 1.5])
def test_a_ramp_goes_upward_only(tmp_path: Path, share: float) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        begun(journal)
        with pytest.raises(ServiceError, match="PF734"):
            book.ramp(journal, "new-head", share)


def test_two_that_ramp_a_bandit_ramp_it_once(tmp_path: Path) -> None:
    """The second finds the share that it wanted: another stage would only leave a minute out."""
    with Journal.open(tmp_path / "books.db") as journal:
        book.start(journal, replace(EXAMPLE.experiment, mode=Mode.BANDIT), EXAMPLE.policy)
        book.ramp(journal, "new-head", 0.7)
        with pytest.raises(ServiceError, match="PF734"):
            book.ramp(journal, "new-head", 0.7)
        assert len(book.course_of(journal, "new-head").stages) == 2


def test_a_bandit_s_share_goes_both_ways(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        assert begun(journal, mode=Mode.BANDIT).share == 0.5
        assert book.ramp(journal, "new-head", 0.2).share == 0.2
        with pytest.raises(ServiceError, match="PF734"):
            book.ramp(journal, "new-head", 0.0)


def test_the_shadow_comes_to_light(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        course = begun(journal, mode=Mode.SHADOW)
        assert course.in_shadow
        assert not book.ramp(journal, "new-head", 0.01).in_shadow


def test_what_a_look_says_is_done_once(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        course = begun(journal)
        look = book.look_now(journal, course)
        assert book.act_on(journal, course, advised(look, Advice.WAIT)).stages == course.stages
        up = advised(look, Advice.RAMP, 0.05)
        assert book.act_on(journal, course, up).share == 0.05
        assert len(book.act_on(journal, course, up).stages) == 2  # a second one finds it done
        good = advised(look, Advice.PROMOTE)
        assert book.act_on(journal, course, good).running
        bad = advised(look, Advice.HARMFUL)
        assert book.act_on(journal, course, bad).over == "stopped"
        assert book.act_on(journal, course, bad).facts["why"] == "Stop: harmful: so it is."
        assert book.act_on(journal, course, good, promoting=True).over == "stopped"


def test_promoted_by_itself_where_that_is_allowed(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        course = begun(journal)
        good = advised(book.look_now(journal, course), Advice.PROMOTE)
        assert book.act_on(journal, course, good, promoting=True).share == 1.0


def test_of_two_that_start_at_once_one_is_refused(books_url: str) -> None:
    with Journal.open(books_url) as journal:
        refused = []

        def work(number: int) -> None:
            try:
                begun(journal, name=f"e-{number}")
            except ServiceError as error:
                refused.append(error.code)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert refused == ["PF731"] * 4
        assert len(book.courses(journal)) == 1
