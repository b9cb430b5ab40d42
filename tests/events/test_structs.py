from __future__ import annotations

import copy
import gc
import pickle
from decimal import Decimal

import attrs
import cattrs
import pytest

from polymarket_ws.events.market import Book, Level, LevelChange

HALF = Decimal("0.5")
LEVEL = Level(HALF, Decimal("12.50"))
CHANGE = LevelChange(asset_id="7", price=HALF, size=Decimal(0), side="BUY")
PARTS = pytest.mark.parametrize("part", [LEVEL, CHANGE], ids=["Level", "LevelChange"])


def test_attrs_knows_the_fields_and_what_they_are_without_a_value() -> None:
    assert [field.name for field in attrs.fields(Level)] == ["price", "size"]
    fields = attrs.fields_dict(LevelChange)
    assert list(fields) == ["asset_id", "price", "size", "side", "hash", "best_bid", "best_ask"]
    assert fields["price"].default is attrs.NOTHING
    assert fields["best_bid"].default is None
    assert fields["best_bid"].kw_only
    assert not attrs.fields_dict(Level)["price"].kw_only


def test_attrs_takes_them_apart_and_makes_changed_copies() -> None:
    assert attrs.asdict(LEVEL) == {"price": HALF, "size": Decimal("12.50")}
    book = Book(market="0x1", asset_id="7", bids=(LEVEL,), asks=())
    assert attrs.asdict(book)["bids"] == (attrs.asdict(LEVEL),)
    assert attrs.evolve(CHANGE, size=HALF).size == HALF
    assert attrs.evolve(CHANGE) == CHANGE


@PARTS
def test_cattrs_of_a_user_takes_them(part: Level | LevelChange) -> None:
    converter = cattrs.Converter()
    converter.register_structure_hook(Decimal, lambda value, _: Decimal(value))
    converter.register_unstructure_hook(Decimal, str)
    assert converter.structure(converter.unstructure(part), type(part)) == part


@PARTS
def test_they_are_values(part: Level | LevelChange) -> None:
    same = attrs.evolve(part)
    assert same is not part
    assert same == part
    assert hash(same) == hash(part)
    assert attrs.evolve(part, size=Decimal(3)) != part
    assert pickle.loads(pickle.dumps(part)) == part
    assert copy.deepcopy(part) == part
    with pytest.raises(AttributeError):
        part.size = HALF  # type: ignore[misc]
    assert repr(LEVEL) == "Level(price=Decimal('0.5'), size=Decimal('12.50'))"


@PARTS
def test_the_garbage_collector_does_not_look_at_them(part: Level | LevelChange) -> None:
    assert not gc.is_tracked(part)
