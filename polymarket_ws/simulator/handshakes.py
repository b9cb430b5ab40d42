"""How upgrades are answered when something is wrong with the server."""

from __future__ import annotations

import math

from websockets.http11 import Request, Response

from polymarket_ws.simulator.connection import ClientConnection, json_response
from polymarket_ws.simulator.fault_plan import Upgrade
from polymarket_ws.simulator.faults import (
    Deaf,
    DripHandshake,
    HalfOpen,
    HandshakeFault,
    NoAnswer,
    Redirect,
    Refuse,
    WrongHandshake,
)

__all__ = ["faulty_answer", "is_spoiled"]

# 20 bytes that are the digest of no key that is ever sent, so that it looks like one.
_WRONG_ACCEPT = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="


def faulty_answer(
    connection: ClientConnection, request: Request, upgrade: Upgrade
) -> Response | None:
    """Return what is answered; None: what usually is, in the way that the line is in."""
    for entry in upgrade.entries:
        # Who is deaf from the beginning must not hear what the client says at once.
        if entry.at_once and isinstance(entry.fault, Deaf):
            connection.line.deafen()
        elif entry.at_once and isinstance(entry.fault, HalfOpen):
            connection.line.swallow()
    fault = upgrade.fault
    if isinstance(fault, Refuse):
        headers = {}
        if fault.retry_after is not None:
            headers["Retry-After"] = str(math.ceil(fault.retry_after))
        body = f'{{"error":"refused with {fault.status}"}}'
        return json_response(connection, fault.status, body, headers)
    if isinstance(fault, Redirect):
        return json_response(connection, 302, '{"error":"moved"}', {"Location": fault.location})
    if isinstance(fault, WrongHandshake):
        response = connection.protocol.accept(request)
        if "Sec-WebSocket-Accept" in response.headers:
            del response.headers["Sec-WebSocket-Accept"]
            response.headers["Sec-WebSocket-Accept"] = _WRONG_ACCEPT
        return response
    if isinstance(fault, DripHandshake):
        connection.line.drip(fault.interval)
    elif isinstance(fault, NoAnswer):
        connection.line.mute()
    return None


def is_spoiled(fault: HandshakeFault | None) -> bool:
    """Return whether what is open now for the server is no connection for the client."""
    return isinstance(fault, (WrongHandshake, NoAnswer))
