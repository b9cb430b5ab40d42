from __future__ import annotations

import json

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from polymarket_ws.protocol.market import MarketDialect
from polymarket_ws.protocol.subscribing import MAX_IDS_PER_FRAME, Subscribing


class LiveServer:
    """What the live server does with the frames of one connection."""

    def __init__(self) -> None:
        self.begun = False
        self.active: dict[str, None] = {}
        self.features = False
        self.openings: list[str] = []
        self.most_active = 0

    def receive(self, text: str) -> None:
        frame = json.loads(text)
        ids = frame["assets_ids"]
        assert len(ids) <= MAX_IDS_PER_FRAME
        assert len(set(ids)) == len(ids)
        if not self.begun:
            assert frame.get("type") == "market", "1008 invalid subscription payload"
            self.begun = True
        else:
            assert "type" not in frame
            if frame["operation"] == "unsubscribe":
                for key in ids:
                    self.active.pop(key, None)
                return
            assert frame["operation"] == "subscribe"
        # Before the refusal of duplicates, as live.
        toggled = self.features != frame["custom_feature_enabled"]
        self.features = frame["custom_feature_enabled"]
        duplicates = [key for key in ids if key in self.active]
        assert not duplicates or (toggled and len(ids) == 1), "subscribed twice"
        new = [key for key in ids if key not in self.active]
        self.active.update(dict.fromkeys(new))
        self.openings += new
        self.most_active = max(self.most_active, len(self.active))


def asset_ids(*numbers: int) -> list[str]:
    return [str(number) for number in numbers]


FEW = st.lists(st.integers(0, 7), max_size=8, unique=True)
# Around the limits of one frame and of two.
BLOCKS = st.sampled_from([0, 0, 0, 0, 1, 193, 199, 200, 201, 400, 401])
IDS = st.builds(lambda few, block: asset_ids(*few, *range(100, 100 + block)), FEW, BLOCKS)


class Conversation(RuleBasedStateMachine):
    """Any order of wishes, refreshes, frames and new connections."""

    def __init__(self) -> None:
        super().__init__()
        self.subscribing = Subscribing(MarketDialect())
        self.server = LiveServer()
        self.wanted: list[str] = []
        self.features = False
        self.anything = False
        self.refreshed: set[str] = set()

    @rule(ids=IDS, features=st.booleans(), more=st.booleans())
    def want(self, ids: list[str], features: bool, more: bool) -> None:
        self.wanted = ids
        self.features = features
        self.anything = bool(ids) or more
        self.subscribing.want(ids, features=features, anything=self.anything)

    @rule(ids=IDS)
    def refresh(self, ids: list[str]) -> None:
        self.refreshed.update(ids)
        self.subscribing.refresh(ids)

    @rule()
    def reconnect(self) -> None:
        self.server = LiveServer()
        self.refreshed.clear()
        self.subscribing.forget()

    @rule(ids=IDS)
    def others_have(self, ids: list[str]) -> None:
        """Send while other connections hold some of what is wanted."""
        before = set(self.server.active)
        held = set(ids) - before
        difference = self.subscribing.frames([held, set()])
        for frame in difference.frames:
            self.server.receive(frame)
        assert not held & set(self.server.active)
        assert set(self.server.active) == set(self.wanted) - held
        assert self.subscribing.settled == (
            not held & set(self.wanted) and self.server.begun >= self.anything
        )
        self.refreshed.clear()

    @rule()
    def send(self) -> None:
        before = set(self.server.active)
        settled = self.subscribing.settled
        self.server.openings.clear()
        self.server.most_active = 0
        difference = self.subscribing.frames()
        for frame in difference.frames:
            self.server.receive(frame)

        assert not (settled and difference.frames)
        assert self.subscribing.settled
        assert list(self.subscribing.sent) == self.wanted
        assert set(self.server.active) == set(self.wanted)
        assert self.server.most_active <= max(len(before), len(self.wanted))
        if self.anything:
            assert self.server.begun
            assert self.server.features == self.features
        assert difference.added == [key for key in self.wanted if key not in before]
        assert set(difference.removed) == before - set(self.wanted)
        assert set(difference.again) == self.refreshed & before & set(self.wanted)
        # The server told the opening state of these, and of nothing else.
        assert sorted(self.server.openings) == sorted(difference.again + difference.added)
        self.refreshed.clear()

    @invariant()
    def nothing_is_said_before_anything_is_wanted(self) -> None:
        assert self.server.begun == self.subscribing.begun


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=150, stateful_step_count=25)


def begun(*ids: str, features: bool = False) -> Subscribing:
    subscribing = Subscribing(MarketDialect())
    subscribing.want(ids, features=features, anything=True)
    subscribing.frames()
    return subscribing


def test_the_first_frame_is_the_live_subscription() -> None:
    subscribing = Subscribing(MarketDialect())
    subscribing.want(["1", "2"], features=False, anything=True)
    assert subscribing.frames().frames == [
        '{"type":"market","assets_ids":["1","2"],"custom_feature_enabled":false}'
    ]


def test_the_first_frame_for_new_markets_alone_names_no_id() -> None:
    subscribing = Subscribing(MarketDialect())
    subscribing.want([], features=True, anything=True)
    assert subscribing.frames().frames == [
        '{"type":"market","assets_ids":[],"custom_feature_enabled":true}'
    ]


def test_no_frame_before_anything_is_wanted() -> None:
    subscribing = Subscribing(MarketDialect())
    subscribing.refresh(["1"])
    assert subscribing.frames().frames == []
    assert not subscribing.begun


def test_a_change_is_one_unsubscribe_and_one_subscribe() -> None:
    subscribing = begun("1", "2")
    subscribing.want(["2", "3"], features=False, anything=True)
    assert subscribing.frames().frames == [
        '{"operation":"unsubscribe","assets_ids":["1"]}',
        '{"operation":"subscribe","assets_ids":["3"],"custom_feature_enabled":false}',
    ]


def test_a_refresh_leaves_and_enters_in_one_write() -> None:
    subscribing = begun("1", "2", features=True)
    subscribing.refresh(["2"])
    assert subscribing.frames().frames == [
        '{"operation":"unsubscribe","assets_ids":["2"]}',
        '{"operation":"subscribe","assets_ids":["2"],"custom_feature_enabled":true}',
    ]


def test_the_features_are_switched_by_naming_one_active_id() -> None:
    subscribing = begun("1", "2")
    subscribing.want(["1", "2"], features=True, anything=True)
    assert subscribing.frames().frames == [
        '{"operation":"subscribe","assets_ids":["1"],"custom_feature_enabled":true}'
    ]


def test_the_features_are_switched_by_the_frame_that_adds() -> None:
    subscribing = begun("1")
    subscribing.want(["1", "2"], features=True, anything=True)
    assert subscribing.frames().frames == [
        '{"operation":"subscribe","assets_ids":["2"],"custom_feature_enabled":true}'
    ]


def test_the_features_stay_on_where_nothing_is_wanted_any_more() -> None:
    subscribing = begun("1", features=True)
    subscribing.want([], features=False, anything=False)
    assert subscribing.frames().frames == ['{"operation":"unsubscribe","assets_ids":["1"]}']
    assert subscribing.settled


def test_the_features_are_switched_before_the_last_id_is_left() -> None:
    subscribing = begun("1")
    subscribing.want([], features=True, anything=True)
    assert subscribing.frames().frames == [
        '{"operation":"subscribe","assets_ids":["1"],"custom_feature_enabled":true}',
        '{"operation":"unsubscribe","assets_ids":["1"]}',
    ]


def test_the_features_are_switched_without_an_id_where_none_is_active() -> None:
    subscribing = begun("1")
    subscribing.want([], features=False, anything=False)
    subscribing.frames()
    subscribing.want([], features=True, anything=True)
    assert subscribing.frames().frames == [
        '{"operation":"subscribe","assets_ids":[],"custom_feature_enabled":true}'
    ]


@pytest.mark.parametrize(("count", "sizes"), [(200, [200]), (201, [200, 1]), (450, [200, 200, 50])])
def test_many_ids_are_cut_into_frames(count: int, sizes: list[int]) -> None:
    subscribing = Subscribing(MarketDialect())
    subscribing.want(asset_ids(*range(count)), features=False, anything=True)
    frames = [json.loads(frame) for frame in subscribing.frames().frames]
    assert [len(frame["assets_ids"]) for frame in frames] == sizes
    assert ["type" in frame for frame in frames] == [True] + [False] * (len(sizes) - 1)


def test_an_id_named_twice_is_sent_once() -> None:
    subscribing = Subscribing(MarketDialect())
    subscribing.want(["1", "1"], features=False, anything=True)
    assert json.loads(subscribing.frames().frames[0])["assets_ids"] == ["1"]


def test_a_new_connection_is_asked_for_everything_again() -> None:
    subscribing = begun("1", "2", features=True)
    subscribing.forget()
    assert not subscribing.settled
    assert subscribing.frames().frames == [
        '{"type":"market","assets_ids":["1","2"],"custom_feature_enabled":true}'
    ]
