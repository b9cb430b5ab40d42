"""What the simulated markets are about: invented questions, alone and in exclusive groups.

Pure.
"""

from __future__ import annotations

import random
import re
from decimal import Decimal

import attrs

from polymarket_ws.market_info import MarketInfo

__all__ = ["GROUP_SIZE", "Occasion", "Topic", "described", "slug_of", "topics"]

#: Markets of one negative-risk group. Of each eight markets the last four are one.
GROUP_SIZE = 4

_QUESTIONS = (
    "Will it rain in Lisbon on New Year's Day?",
    "Will the ferry to Naxos leave on time?",
    "Will the blue team win the harbour regatta?",
    "Will the night train to Vienna be sold out?",
    "Will the old bridge reopen before June?",
    "Will a comet be visible to the naked eye this year?",
    "Will the city library extend its hours?",
    "Will the river stay below its flood mark?",
    "Will the vineyard harvest start in August?",
    "Will the observatory publish its survey this month?",
    "Will the mountain pass close before November?",
    "Will the home side keep a clean sheet?",
)

# Title, question and names: exactly one of the names comes true.
_GROUPS = (
    (
        "Who wins the marathon?",
        "Will {} win the marathon?",
        ("Amaru", "Birgit", "Chidi", "Dewi"),
    ),
    (
        "Which film opens the festival?",
        "Will {} open the festival?",
        ("The Lighthouse Keeper", "Paper Boats", "Nine Winters", "Salt"),
    ),
    (
        "Who leads the city council?",
        "Will the {} party lead the city council?",
        ("Orange", "Purple", "Teal", "Silver"),
    ),
)

_END_DATE = "2030-01-01T00:00:00Z"


@attrs.frozen(kw_only=True)
class Occasion:
    """An event, in Gamma's sense: one market, or several that exclude each other.

    Attributes:
        title: what it is called.
        slug: its address.
        neg_risk: whether its markets exclude each other.
    """

    title: str
    slug: str
    neg_risk: bool = False


@attrs.frozen(kw_only=True)
class Topic:
    """What one market is about.

    Attributes:
        question: what is asked.
        occasion: the event that it belongs to.
        item: its name within a group; empty where it is alone.
        tick_size: of the market.
    """

    question: str
    occasion: Occasion
    item: str = ""
    tick_size: Decimal = Decimal("0.01")

    @classmethod
    def alone(cls, question: str, tick_size: Decimal = Decimal("0.01")) -> Topic:
        """Return the topic of a market that is an event of its own."""
        occasion = Occasion(title=question, slug=slug_of(question))
        return cls(question=question, occasion=occasion, tick_size=tick_size)


def slug_of(question: str) -> str:
    """Return the address of a question."""
    return re.sub(r"[^a-z0-9]+", "-", question.lower().replace("'", "")).strip("-")


def topics(count: int) -> list[Topic]:
    """Return what ``count`` markets are about.

    Of each eight the last four are a group, where there are all eight of them. Every fourth
    market has the finer of the two usual ticks.
    """
    grouped = count - count % (2 * GROUP_SIZE)
    return [
        _of_group(index) if index % 8 >= GROUP_SIZE and index < grouped else _of_one(index)
        for index in range(count)
    ]


def described(topic: Topic, rng: random.Random) -> MarketInfo:
    """Return a market about ``topic``, with ids by chance."""
    return MarketInfo(
        question=topic.question,
        condition_id=f"0x{rng.getrandbits(256):064x}",
        slug=slug_of(topic.question),
        outcomes=("Yes", "No"),
        asset_ids=(str(rng.randrange(10**76, 10**77)), str(rng.randrange(10**76, 10**77))),
        tick_size=topic.tick_size,
        min_order_size=Decimal(5),
        neg_risk=topic.occasion.neg_risk,
        end_date=_END_DATE,
    )


def _of_one(index: int) -> Topic:
    question = _numbered(_QUESTIONS[index % len(_QUESTIONS)], index // len(_QUESTIONS))
    return Topic.alone(question, _tick_size(index))


def _of_group(index: int) -> Topic:
    number = index // (2 * GROUP_SIZE)
    title, question, names = _GROUPS[number % len(_GROUPS)]
    part = number // len(_GROUPS)
    name = names[index % GROUP_SIZE]
    title = _numbered(title, part)
    return Topic(
        question=_numbered(question.format(name), part),
        occasion=Occasion(title=title, slug=slug_of(title), neg_risk=True),
        item=name,
        tick_size=_tick_size(index),
    )


def _numbered(question: str, part: int) -> str:
    return f"{question[:-1]}, part {part + 1}?" if part else question


def _tick_size(index: int) -> Decimal:
    return Decimal("0.001") if index % 4 == 3 else Decimal("0.01")
