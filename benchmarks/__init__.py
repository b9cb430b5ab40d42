"""Measure the client side by side with others: ``python -m benchmarks``.

Every client runs in a process of its own, against one server process on loopback that sends
the same frames to each. Rounds are interleaved, because a machine's speed drifts: ratios
within one run hold where the numbers themselves move.
"""
