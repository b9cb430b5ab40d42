"""A terminal, as far as the screen of `watch` uses one. Anything else is an error."""

from __future__ import annotations

import re

from rich.cells import cell_len

_SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class Emulator:
    def __init__(self, width: int, height: int) -> None:
        self.alternate = False
        self.cursor_shown = True
        self.wraps = True
        self.cleared = 0
        self.colours: set[str] = set()
        self.before = ""  # what was written outside of the alternate screen
        self._rest = ""
        self.resize(width, height)
        self._outdated = False

    def resize(self, width: int, height: int) -> None:
        """Be of another size: what is drawn for the old one goes nowhere, until all is cleared.

        A frame may be under way, and another be drawn before the program hears of the new size.
        """
        self.width, self.height = width, height
        self._cells = [[" "] * width for _ in range(height)]
        self._row = self._column = 0
        self._outdated = True

    @property
    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._cells]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def feed(self, text: str) -> None:
        text = self._rest + text
        position = 0
        while position < len(text):
            if text[position] != "\x1b":
                self._put(text[position])
                position += 1
                continue
            found = _SEQUENCE.match(text, position)
            if found is None:
                if len(text) - position > 20:
                    raise AssertionError(f"unknown sequence {text[position : position + 20]!r}")
                break
            self._obey(*found.groups())
            position = found.end()
        self._rest = text[position:]

    def _put(self, char: str) -> None:
        if not self.alternate:
            self.before += char
            return
        assert char.isprintable(), repr(char)
        if self._outdated:
            return
        cells = cell_len(char)
        assert self._row < self.height, "a line below the screen"
        assert self._column + cells <= self.width, f"beyond the edge: {self.lines[self._row]}"
        if cells:
            self._cells[self._row][self._column] = char
        for extra in range(1, cells):
            self._cells[self._row][self._column + extra] = ""
        self._column += cells

    def _obey(self, private: str, numbers: str, final: str) -> None:
        if private:
            on = final == "h"
            assert final in "hl"
            if numbers == "1049":
                self.alternate = on
            elif numbers == "25":
                self.cursor_shown = on
            elif numbers == "7":
                self.wraps = on
            else:
                raise AssertionError(f"unknown mode {numbers}")
        elif final == "m":
            self.colours.update(numbers.split(";"))
        elif final == "H":
            row, _, column = numbers.partition(";")
            self._row, self._column = int(row or 1) - 1, int(column or 1) - 1
        elif final == "K":
            assert numbers in ("", "0")
            if self._outdated:
                return
            assert self._column < self.width, "erases the last cell"
            self._cells[self._row][self._column :] = [" "] * (self.width - self._column)
        elif final == "J":
            assert numbers == "2"
            self.cleared += 1
            self._outdated = False
            self._cells = [[" "] * self.width for _ in range(self.height)]
        else:
            raise AssertionError(f"unknown sequence {numbers}{final}")
