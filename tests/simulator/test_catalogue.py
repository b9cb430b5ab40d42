from __future__ import annotations

import random

import pytest

from polymarket_ws.simulator.catalogue import Topic, described, slug_of, topics


def test_the_last_four_of_each_eight_exclude_each_other() -> None:
    made = topics(24)
    assert [topic.occasion.neg_risk for topic in made] == [False] * 4 + [True] * 4 + (
        [False] * 4 + [True] * 4
    ) * 2
    for start in (4, 12, 20):
        group = made[start : start + 4]
        assert len({topic.occasion.slug for topic in group}) == 1
        assert len({topic.item for topic in group}) == 4


@pytest.mark.parametrize("count", [1, 2, 7])
def test_few_markets_stand_alone(count: int) -> None:
    assert not any(topic.occasion.neg_risk for topic in topics(count))


def test_ten_thousand_questions_are_unique_and_so_are_their_addresses() -> None:
    made = topics(10_000)
    assert len({topic.question for topic in made}) == 10_000
    assert len({slug_of(topic.question) for topic in made}) == 10_000


def test_events_are_unique() -> None:
    made = topics(200)
    groups = [t.occasion.slug for t in made if t.occasion.neg_risk]
    assert len(set(groups)) == 25
    assert not set(groups) & {t.occasion.slug for t in made if not t.occasion.neg_risk}


def test_a_market_alone_is_an_event_of_its_own() -> None:
    topic = Topic.alone("Will it snow?")
    info = described(topic, random.Random(1))
    assert info.slug == topic.occasion.slug == "will-it-snow"
    assert not info.neg_risk
