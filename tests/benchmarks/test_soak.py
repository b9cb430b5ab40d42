from __future__ import annotations

import pytest

from benchmarks import soak
from benchmarks.soak import main, run, table
from tests.conftest import scaled


def test_short_run_accounts_for_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--minutes", "0.08", "--every", "0.8", "--rate", "300", "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    assert "unexplained                    0\n" in printed
    assert "threads left behind            none" in printed


def test_loss_without_a_word_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[object] = []

    class Forgetful(soak.Audit):
        """As if some events of the stream had never come.

        One alone may be the last before a fault, whose gap explains it, or no data at all.
        """

        def received(self, event: object) -> None:
            taken.append(event)
            if not (100 <= len(taken) <= 500 and len(taken) % 50 == 0):
                super().received(event)  # type: ignore[arg-type]

    monkeypatch.setattr(soak, "Audit", Forgetful)
    found = run(0.05, 300.0, scaled(60.0), 1)
    assert not found.is_good
    assert found.unexplained >= 1
    assert "first finding" in table(found)
