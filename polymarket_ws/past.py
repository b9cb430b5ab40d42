"""What is kept of one connection's books for those who join later. Pure.

The usual case is that nobody joins, so a change costs one append: to the log of its market,
whatever tokens it names, and as the text that it came in. A text is a third of the memory of its
event and nothing that the garbage collector must look at: kept as events, the past cost an eighth
of the throughput. Only when somebody joins, or a log gets long, is it read once more and entered
into a ``Journal`` for each token; what is older than the latest books never is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

import attrs

from polymarket_ws.events.event import Event
from polymarket_ws.events.market import Book, MarketResolved, PriceChange, TickSizeChange
from polymarket_ws.journal import Journal
from polymarket_ws.protocol.decoding import Decoder, Source
from polymarket_ws.protocol.market_vocabulary import MARKET_VOCABULARY

__all__ = ["Log", "Past"]

#: Items of one log that are kept as texts. Between two books of a busy token there are about forty.
#: Where trades are rare there are many more, and to read all of those twice would cost a third
#: of the throughput: they are kept as events.
_MOST_TEXTS = 128

#: Items of one log at which it is entered into journals.
_MOST_ITEMS = 256

#: A change of more levels is entered at once, or the number of items would bound nothing.
_MANY_LEVELS = 64

#: A longer text of a change has more levels than most, or is padded with what nobody reads: then
#: the event is the smaller of the two.
_LONG_CHANGE = 2048

#: The same for a book, whose levels have about 40 bytes each.
_LONG_BOOK = 4096
_LEVEL_BYTES = 64


class _Page:
    """The latest book of one token.

    Attributes:
        source: the book; None once it is in the journal.
        received_at: of the book.
        epoch: of the book.
        start: the first item of the log that is newer.
        journal: what was entered; None as long as nothing was.
    """

    __slots__ = ("_tick_size", "epoch", "journal", "received_at", "source", "start")

    def __init__(self, source: Source, book: Book, tick_size: Decimal | None, start: int) -> None:
        self.source: Source | None = source
        self.received_at = book.received_at
        self.epoch = book.epoch
        self._tick_size = tick_size if book.tick_size is None else book.tick_size
        self.start = start
        self.journal: Journal | None = None

    @property
    def tick_size(self) -> Decimal | None:
        """The one that was told last."""
        return self._tick_size if self.journal is None else self.journal.tick_size


class Log:
    """What changed in one market since the oldest of its tokens' latest books.

    Attributes:
        market: the condition id that the books name.
        items: what changed, oldest first.
        pages: of the market's tokens that have a book.
    """

    __slots__ = ("items", "market", "pages")

    def __init__(self, market: str) -> None:
        self.market = market
        self.items: list[Source] = []
        self.pages: dict[str, _Page] = {}

    def note(self, source: Source, event: PriceChange) -> bool:
        """Append a change; return whether it is time to enter what there is."""
        items = self.items
        is_short = isinstance(source, bytes) and len(source) <= _LONG_CHANGE
        items.append(source if is_short and len(items) < _MOST_TEXTS else event)
        return len(items) >= _MOST_ITEMS or len(event.price_changes) > _MANY_LEVELS

    def note_book(self, source: Source, book: Book, tick_size: Decimal | None) -> None:
        """Begin a new page."""
        levels = len(book.bids) + len(book.asks)
        if isinstance(source, bytes) and len(source) > _LONG_BOOK + _LEVEL_BYTES * levels:
            source = book
        self.pages[book.asset_id] = _Page(source, book, tick_size, len(self.items))
        start = min(page.start for page in self.pages.values())
        if start:
            del self.items[:start]
            for page in self.pages.values():
                page.start -= start


class Past:
    """What is known of the books of one connection.

    Args:
        forgotten: told each token of which nothing is known any more, but not of ``clear``.
    """

    def __init__(self, forgotten: Callable[[str], None]) -> None:
        self._forgotten = forgotten
        self._logs: dict[str, Log] = {}
        self._log_of: dict[str, Log] = {}
        # Both kinds that it reads are of the fast way, so no connection's number is needed.
        self._decoder = Decoder(MARKET_VOCABULARY, connection=0)

    def note_book(self, source: Source, book: Book) -> Log:
        """Begin anew with a book; return the log for the changes of its token."""
        asset_id = book.asset_id
        log = self._log_of.get(asset_id)
        tick_size = None if log is None else log.pages[asset_id].tick_size
        if log is None or log.market != book.market:
            self.forget(asset_id)
            log = self._logs.get(book.market)
            if log is None:
                log = self._logs[book.market] = Log(book.market)
            self._log_of[asset_id] = log
        log.note_book(source, book, tick_size)
        return log

    def enter(self, log: Log) -> None:
        """Empty a log into its journals, and give up tokens whose book cannot be known any more.

        That is one with more changes than a book has levels, and one of which something cannot
        be read once more: Python's stack may have had a little more room the first time.
        """
        pages = dict(log.pages)
        journals = {asset_id: self._journal(page) for asset_id, page in pages.items()}
        first = min((page.start for page in pages.values()), default=0)
        for number, item in enumerate(log.items[first:], first):
            event = self._read(item)
            for asset_id, journal in journals.items():
                if journal is None or number < pages[asset_id].start:
                    continue
                if isinstance(event, PriceChange):
                    journal.enter(event)
                else:
                    journals[asset_id] = None
        log.items.clear()
        for page in pages.values():
            page.start = 0
        for asset_id, journal in journals.items():
            if journal is None or not journal.is_possible():
                self.forget(asset_id)

    def _journal(self, page: _Page) -> Journal | None:
        if page.journal is None:
            book = self._read(page.source)
            if not isinstance(book, Book):
                return None
            book = attrs.evolve(book, received_at=page.received_at, epoch=page.epoch)
            page.journal = Journal(book, page.tick_size)
            page.source = None
        return page.journal

    def _read(self, source: Source | None) -> Event | None:
        return self._decoder.decode_object(source, 0.0, 0) if isinstance(source, bytes) else source

    def fold(self, asset_id: str) -> Book | None:
        """Return the book of a token as it is now; ``None`` where that is not known."""
        journal = self._entered(asset_id)
        return None if journal is None else journal.fold()

    def rebase(self, asset_ids: Iterable[str], event: TickSizeChange | MarketResolved) -> None:
        """Take an event that is no change of a level."""
        for asset_id in asset_ids:
            journal = self._entered(asset_id)
            if journal is not None:
                journal.rebase(event)

    def tokens_of(self, event: MarketResolved) -> list[str]:
        """Return the tokens with a book that a settled market had."""
        return [
            asset_id
            for asset_id, log in self._log_of.items()
            if asset_id in event.assets_ids or log.market == event.market
        ]

    def forget(self, asset_id: str) -> None:
        """Let nothing be known of a token."""
        log = self._log_of.pop(asset_id, None)
        if log is not None:
            del log.pages[asset_id]
            if not log.pages:
                del self._logs[log.market]
            self._forgotten(asset_id)

    def clear(self) -> None:
        """Let nothing be known of any."""
        self._logs.clear()
        self._log_of.clear()

    def _entered(self, asset_id: str) -> Journal | None:
        log = self._log_of.get(asset_id)
        if log is None:
            return None
        self.enter(log)
        page = log.pages.get(asset_id)
        return None if page is None else page.journal
