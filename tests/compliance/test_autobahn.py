from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from compliance import autobahn
from compliance.autobahn import CASES, Verdict, summary

FINE = Verdict("1.1.1", "OK", "OK", 1000)
LATE = Verdict("6.4.1", "NON-STRICT", "OK", 1007)
FREE = Verdict("7.13.1", "INFORMATIONAL", "INFORMATIONAL", None)
WRONG = Verdict("7.9.1", "FAILED", "FAILED", None)
RUDE = Verdict("7.9.2", "OK", "WRONG CODE", 1000)


@pytest.fixture
def wstest() -> Path:
    """The program of ``autobahntestsuite``, which needs Python 2.7; skipped without it."""
    found = shutil.which(os.environ.get("WSTEST", "wstest"))
    if found is None:
        pytest.skip("no wstest on the path, nor in WSTEST: see docs/howto/compliance.md")
    return Path(found)


def test_what_is_wrong_or_closed_wrongly_has_not_passed() -> None:
    assert [v for v in (FINE, LATE, FREE, WRONG, RUDE) if not v.passed] == [WRONG, RUDE]


def test_summary_counts_each_group_and_names_what_is_odd() -> None:
    assert summary([FINE, LATE, FREE, WRONG, RUDE]).splitlines() == [
        "| cases | number | OK | NON-STRICT | INFORMATIONAL | FAILED | closed wrongly |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| 1.* | 1 | 1 | 0 | 0 | 0 | 0 |",
        "| 6.* | 1 | 0 | 1 | 0 | 0 | 0 |",
        "| 7.* | 3 | 1 | 0 | 1 | 1 | 2 |",
        "| all | 5 | 2 | 1 | 1 | 1 | 2 |",
        "6.4.1: NON-STRICT, closed OK with 1007",
        "7.13.1: INFORMATIONAL, closed INFORMATIONAL with None",
        "7.9.1: FAILED, closed FAILED with None",
        "7.9.2: OK, closed WRONG CODE with 1000",
    ]


def test_verdicts_are_sorted_as_numbers() -> None:
    assert Verdict("9.1.2", "OK", "OK", None).place < Verdict("10.1.1", "OK", "OK", None).place


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_case_of_the_fuzzing_server_fails(wstest: Path, tmp_path: Path) -> None:
    verdicts = autobahn.run(wstest, CASES, tmp_path)
    assert len(verdicts) == 301
    assert [verdict for verdict in verdicts if not verdict.passed] == []


@pytest.mark.slow
def test_exit_code_tells_that_all_went_well(
    wstest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--wstest", str(wstest), "--report", str(tmp_path / "report"), "7.1.*"]
    assert autobahn.main(arguments) == 0
    assert "| all | 6 | 5 | 0 | 1 | 0 | 0 |" in capsys.readouterr().out
    assert (tmp_path / "report" / "index.json").is_file()
