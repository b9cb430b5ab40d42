"""What is answered to a request, under WSGI and under ASGI."""

from __future__ import annotations

import logging

import django
from django.core.handlers.asgi import ASGIRequest
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from polymarket_ws.integrations.answers import Answer
from polymarket_ws.integrations.django.apps import installed
from polymarket_ws.integrations.django.streaming import AsyncEvents, ThreadEvents
from polymarket_ws.integrations.sse.responses import EventBody

__all__ = ["asset", "events", "health", "page"]

logger = logging.getLogger("polymarket_ws.integrations")

#: Before 5.0, Django under ASGI never learns that a browser has left: responses must end.
_NOTICES_DISCONNECTS = django.VERSION >= (5, 0)


# Not async: under ASGI Django runs this in a thread of the request, where looking markets up
# and asking the project who may see the account may take their time. What goes on is the body.
# Not atomic: with ATOMIC_REQUESTS each browser would begin a transaction for nothing.
@transaction.non_atomic_requests
@require_safe
def events(request: HttpRequest) -> HttpResponseBase:
    """Return Server-Sent Events; see docs/reference/sse.md."""
    app = installed()
    asked = request.GET
    under_asgi = isinstance(request, ASGIRequest)
    answer = app.service.events(
        asked.getlist("market"),
        user=asked.get("user", "") not in ("", "0", "false"),
        may_see_user=lambda: app.options.may_see_user(request),
        last_event_id=request.headers.get("Last-Event-ID") or asked.get("last_event_id"),
        alone=(
            not _NOTICES_DISCONNECTS
            if under_asgi
            else not request.META.get("wsgi.multithread", True)
        ),
    )
    # GZipMiddleware would gather events in its buffer, and looks here once more afterwards.
    request.META["HTTP_ACCEPT_ENCODING"] = "identity"
    if not isinstance(answer.body, EventBody):
        return _response(answer)
    body = answer.body
    if request.method == "HEAD":
        # The page asks so which of several names is the wrong one. Nobody iterates: no browser.
        body.close()
        return _with_headers(HttpResponse(status=answer.status), answer)
    return _with_headers(
        StreamingHttpResponse(
            AsyncEvents(body) if under_asgi else ThreadEvents(body), status=answer.status
        ),
        answer,
    )


@transaction.non_atomic_requests
@require_safe
def health(request: HttpRequest) -> HttpResponseBase:
    """Return how this process is, for probes: 200, or 503 while the exchange is lost."""
    del request
    return _response(installed().service.health())


@transaction.non_atomic_requests
@require_safe
def page(request: HttpRequest) -> HttpResponseBase:
    """Return the page."""
    return _response(installed().service.page(request.headers.get("If-None-Match")))


@transaction.non_atomic_requests
@require_safe
def asset(request: HttpRequest, name: str) -> HttpResponseBase:
    """Return a file of the page."""
    return _response(installed().service.asset(name, request.headers.get("If-None-Match")))


def _response(answer: Answer) -> HttpResponseBase:
    return _with_headers(HttpResponse(b"".join(answer.body), status=answer.status), answer)


def _with_headers(response: HttpResponseBase, answer: Answer) -> HttpResponseBase:
    for name, value in answer.headers:
        response.headers[name] = value
    return response
