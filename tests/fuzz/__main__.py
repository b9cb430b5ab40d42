"""Say broken frames to both channels: ``python -m tests.fuzz --frames 1000000 --seed 6``.

What breaks the invariant is a traceback; the same seed and number of frames show it again.
"""

from __future__ import annotations

import argparse
import contextlib
import time

from tests.fuzz.bases import MARKET, USER
from tests.fuzz.listener import Listener
from tests.fuzz.mutations import Mutator


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, help="half for each channel")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for channel in (MARKET, USER):
        mutator = Mutator(channel.texts, asked.seed)
        began = time.process_time()
        with contextlib.closing(Listener(channel, mutator)) as listener:
            while listener.frames < asked.frames // 2:
                listener.hear([mutator.text() for _ in range(mutator.random.randint(1, 16))])
        seconds = time.process_time() - began
        print(
            f"{channel.dialect.channel}: {listener.frames} frames, "
            f"{listener.frames / seconds:.0f} a second of CPU"
        )
        print("  told:", *(f"{name} {count}" for name, count in listener.told.most_common()))
        print("  ended with:", *(f"{code} {count}" for code, count in listener.ends.most_common()))


if __name__ == "__main__":
    main()
