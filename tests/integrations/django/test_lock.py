from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from polymarket_ws.integrations.django.lock import AlreadyRunning, SingleInstance, default_path

HOLDS = """
import sys
from pathlib import Path
from polymarket_ws.integrations.django.lock import SingleInstance
lock = SingleInstance(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_one_is_told_who_is_first(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = SingleInstance(path)
    first.acquire()
    with pytest.raises(AlreadyRunning, match=rf"process {os.getpid()}\): .*lock is locked"):
        SingleInstance(path).acquire()
    first.release()
    first.release()
    second = SingleInstance(path)
    second.acquire()
    second.release()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning, match=f"process {holder.pid}"):
            SingleInstance(path).acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    lock = SingleInstance(path)
    lock.acquire()
    lock.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_what_was_forked_meanwhile_does_not_hold_it_on(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from polymarket_ws.integrations.django.lock import SingleInstance
lock = SingleInstance(Path(sys.argv[1]))
lock.acquire()
waits, wakes = os.pipe()
child = os.fork()
if child == 0:
    os.close(wakes)
    os.read(waits, 1)
    os._exit(0)
lock.release()
again = SingleInstance(Path(sys.argv[1]))
again.acquire()
again.release()
os.close(wakes)
os.waitpid(child, 0)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "lock")], check=True)


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links are followed there")
def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError):
        SingleInstance(tmp_path / "lock").acquire()
    assert (tmp_path / "target").read_text() == "precious"


def test_what_is_in_the_file_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = SingleInstance(path)
    first.acquire()
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(AlreadyRunning, match="already: "):
        SingleInstance(path).acquire()
    first.release()


def test_each_project_has_a_default_of_its_own() -> None:
    assert default_path("a") == default_path("a")
    assert default_path("a") != default_path("b")
    assert default_path("../../etc").parent == default_path("a").parent
