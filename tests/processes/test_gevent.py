from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
import trustme

from tests.conftest import scaled
from tests.market_server import Loopback, flood_and_obey
from tests.processes.programs import running

pytest.importorskip("gevent", reason="gevent is not installed, or not for this system")

#: When a program patches itself, from the earliest moment to the last one that works.
MOMENTS = {
    "before the import": ("patch()", "", ""),
    "after the import": ("", "patch()", ""),
    "after making the client": ("", "", "patch()"),
}

PROGRAM = """
import sys, warnings
url, limit = sys.argv[1], float(sys.argv[2])


def patch():
    from gevent import monkey

    with warnings.catch_warnings():
        # It does not like ssl to be imported already. That this works is what is shown here.
        warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)
        monkey.patch_all()


{earliest}
import os, threading, time
import polymarket_ws.client
from polymarket_ws import *

{early}
client = Client(endpoints=Endpoints.at(url))
seen, failed = [], []
client.on(LastTradePrice, lambda event: seen.append(int(event.size)))
client.on(Lifecycle, failed.append)
{late}
import gevent

assert threading.current_thread() is threading.main_thread()
ticks = 0


def tick():
    global ticks
    while True:
        gevent.sleep(0.001)
        ticks += 1


gevent.spawn(tick)

# Greenlets that all are the first at once: one thread of callbacks, one connection.
streams = []
greenlets = [
    gevent.spawn(lambda: streams.append(client.subscribe(Market("1", events=[LastTradePrice]))))
    for _ in range(5)
]
gevent.joinall(greenlets)
assert client.wait_connected(60)
names = sorted(t.name for t in threading.enumerate() if t.name.startswith("polymarket-ws"))
print("threads", names)

# Everybody reads beside the others.
numbers = {{}}


def read(key, stream):
    numbers[key] = [int(stream.get(timeout=60).size) for _ in range(3000)]


gevent.joinall([gevent.spawn(read, key, stream) for key, stream in enumerate(streams)])
for found in numbers.values():
    assert found == list(range(found[0], found[0] + 3000)), found[:5]
# The first was there from the start, and the callbacks have seen what it has.
while len(seen) < 3000:
    gevent.sleep(0.001)
assert seen == list(range(seen[0], seen[0] + len(seen)))
print("ticks", ticks > 5)

# Waits end in time, and the others run meanwhile.
quiet = client.subscribe(Market("9", events=[BestBidAsk]))
before, began = ticks, time.monotonic()
try:
    quiet.get(timeout=0.2)
except TimeoutError:
    print("late", 0.19 < time.monotonic() - began < limit, ticks > before)

# Wishes change, in a callback and elsewhere.
added = threading.Event()


@client.on(Book)
def more(event):
    if event.asset_id == "4":
        client.listen(Market("5"))
    if event.asset_id == "5":
        added.set()


feed = client.listen(Market("4"))
print("added", added.wait(60))
feed.close()

# A child, by the fork that gevent has put in the place of the other.
pid = os.fork()
if pid == 0:
    code = 1
    try:
        streams[0].get(timeout=5)
    except ClientForked:
        code = 0
    os._exit(code)
print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

# Closing ends whoever waits.
waiting = [gevent.spawn(lambda: list(quiet)), gevent.spawn(client.run)]
gevent.sleep(0.05)
print("closed", client.close())
gevent.joinall(waiting, timeout=60, raise_error=True)
print("ended", all(greenlet.ready() for greenlet in waiting))
print([type(event).__name__ for event in failed if isinstance(event, (Disconnected, Dropped))])
print([t.name for t in threading.enumerate() if t.name.startswith("polymarket-ws")])
"""

SAID = """threads ['polymarket-ws-market-1', 'polymarket-ws-observers']
ticks True
late True True
added True
child 0
closed True
ended True
[]
[]
"""


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_everything_works_whenever_the_program_was_patched(
    moment: str, secure: bool, tmp_path: Path
) -> None:
    context, environment = None, {}
    if secure:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        roots = str(tmp_path / "roots.pem")
        authority.cert_pem.write_to_path(roots)
        # The roots of the system, for the context that the client makes for itself.
        environment = {"SSL_CERT_FILE": roots}
    earliest, early, late = MOMENTS[moment]
    code = PROGRAM.format(earliest=earliest, early=early, late=late)
    with Loopback(flood_and_obey, tls=context) as server:
        # Not -W error: gevent itself uses what newer Pythons call deprecated.
        options = ("-X", "dev", "-W", "error::ResourceWarning")
        limit = str(scaled(2.0))
        with running(code, server.url, limit, options=options, **environment) as program:
            assert (program.end(100), program.out) == (0, SAID), program.err
        assert len(server.talks) == 1
    assert "Traceback" not in program.err, program.err


def test_environment_of_the_tests_is_not_patched() -> None:
    # Every program above is a process of its own, because a patch cannot be undone.
    import socket

    assert socket.socket.__module__ == "socket"
    assert os.fork.__module__ != "gevent.os"
