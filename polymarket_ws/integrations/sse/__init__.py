"""What happens, as Server-Sent Events for many browsers over one upstream socket.

Knows no web framework. ``docs/reference/sse.md`` is the contract of what is sent.
"""
