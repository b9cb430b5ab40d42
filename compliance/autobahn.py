"""Run the Autobahn fuzzing server against our transport, and count what it says.

``python -m compliance.autobahn --wstest PATH``: where ``wstest`` comes from, and what came
out, stands in ``docs/howto/compliance.md``. Exits with 1 if a case failed or was closed wrongly.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from compliance.agent import Agent, echo
from polymarket_ws.transport.opening import OpeningFailed

__all__ = ["CASES", "Verdict", "main", "run", "summary"]

#: Framing, pings, reserved bits, opcodes, fragments, UTF-8, closing, limits. Not 12 and 13,
#: which are about compression: no extension is ever negotiated.
CASES = tuple(f"{group}.*" for group in range(1, 11))

_AGENT = "polymarket-ws"

#: The largest cases move 16 MB through a server in Python 2.7.
_CASE_SECONDS = 300.0
_START_SECONDS = 30.0
_REPORT_SECONDS = 120.0

#: Tolerated: NON-STRICT is right in the end but late, INFORMATIONAL has no right or wrong.
_TOLERATED = frozenset(("OK", "NON-STRICT", "INFORMATIONAL"))


@attrs.frozen
class Verdict:
    """What the server says of one case.

    Attributes:
        case: its number, as in ``7.1.6``.
        behavior: of what came back.
        closing: of how the connection was closed.
        code: the close code that the server received, if any.
    """

    case: str
    behavior: str
    closing: str
    code: int | None

    @property
    def place(self) -> tuple[int, ...]:
        """What to sort by."""
        return tuple(map(int, self.case.split(".")))

    @property
    def passed(self) -> bool:
        """Whether nothing was wrong."""
        return {self.behavior, self.closing} <= _TOLERATED

    def __str__(self) -> str:
        return f"{self.case}: {self.behavior}, closed {self.closing} with {self.code}"


@contextlib.contextmanager
def _fuzzing_server(wstest: Path, cases: Sequence[str], folder: Path) -> Iterator[str]:
    """Run the server on a free port and yield its URL; its report goes into ``folder``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    url = f"ws://127.0.0.1:{port}"
    asked = {"url": url, "outdir": str(folder), "cases": list(cases)}
    specification = folder / "fuzzingserver.json"
    specification.write_text(
        json.dumps({**asked, "exclude-cases": [], "exclude-agent-cases": {}}), encoding="utf-8"
    )
    command = [str(wstest), "--mode", "fuzzingserver", "--webport", "0"]
    command += ["--spec", str(specification)]
    with (folder / "wstest.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield url
        finally:
            server.terminate()
            server.wait()


def _count(agent: Agent, url: str) -> int:
    """Ask the server how many cases it has, as soon as it answers."""
    told: list[bytes] = []
    until = time.monotonic() + _START_SECONDS
    while not told:
        try:
            agent.talk(f"{url}/getCaseCount", lambda _, text: told.append(text), seconds=10.0)
        except OpeningFailed:
            if time.monotonic() >= until:
                raise
            time.sleep(0.1)
    return int(told[0])


def run(wstest: Path, cases: Sequence[str], folder: Path) -> list[Verdict]:
    """Run cases against a server of our own, and return what it says of each.

    Args:
        wstest: the program.
        cases: which, ``6.*`` for a whole group.
        folder: an existing one, for the server's report and log.
    """
    with (
        contextlib.closing(Agent()) as agent,
        _fuzzing_server(wstest, cases, folder) as url,
    ):
        count = _count(agent, url)
        for number in range(1, count + 1):
            case = f"{url}/runCase?case={number}&agent={_AGENT}"
            agent.talk(case, echo, seconds=_CASE_SECONDS)
            if sys.stderr.isatty():
                print(f"\r{number} of {count}", end="", file=sys.stderr, flush=True)
        agent.talk(f"{url}/updateReports?agent={_AGENT}", lambda *_: None, seconds=_REPORT_SECONDS)
    report = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    verdicts = [
        Verdict(case, told["behavior"], told["behaviorClose"], told["remoteCloseCode"])
        for case, told in report[_AGENT].items()
    ]
    return sorted(verdicts, key=lambda verdict: verdict.place)


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return a table of the verdicts by group, and a line for each that is not simply OK."""
    words = ("OK", "NON-STRICT", "INFORMATIONAL", "FAILED")
    lines = ["| " + " | ".join(("cases", "number", *words, "closed wrongly")) + " |"]
    lines.append("| --- " + "| ---: " * (len(words) + 2) + "|")
    groups = {verdict.place[0]: f"{verdict.place[0]}.*" for verdict in verdicts}
    for group, name in (*sorted(groups.items()), (None, "all")):
        inside = [verdict for verdict in verdicts if group in (None, verdict.place[0])]
        numbers = [len(inside)]
        numbers += [sum(verdict.behavior == word for verdict in inside) for word in words]
        numbers.append(sum(verdict.closing not in _TOLERATED for verdict in inside))
        lines.append(f"| {name} | {' | '.join(map(str, numbers))} |")
    odd = [str(v) for v in verdicts if (v.behavior, v.closing) != ("OK", "OK")]
    return "\n".join((*lines, *odd))


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m compliance.autobahn")
    parser.add_argument("--wstest", type=Path, default=Path("wstest"), help="the program")
    parser.add_argument("--report", type=Path, help="keep the server's own report here")
    parser.add_argument("cases", nargs="*", help="which, as in 6.* 7.1.6; else 1.* to 10.*")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if asked.report is None else asked.report
        folder.mkdir(parents=True, exist_ok=True)
        verdicts = run(asked.wstest, asked.cases or CASES, folder)
    print(summary(verdicts))
    return 0 if all(verdict.passed for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
