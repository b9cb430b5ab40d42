"""Live markets in a Django project. Needs the extra ``django``.

::

    INSTALLED_APPS = [..., "polymarket_ws.integrations.django"]
    POLYMARKET_WS = {"MARKETS": ["will-it-rain-in-lisbon-tomorrow"]}

    urlpatterns = [path("polymarket/", include("polymarket_ws.integrations.django.urls"))]

Then ``/polymarket/`` is a page that moves, ``manage.py polymarket_stream`` sends the signals of
:mod:`polymarket_ws.integrations.django.signals`. See docs/howto/django.md.
"""

from __future__ import annotations

try:
    import django  # noqa: F401 - what is missing is said before anything else fails
except ModuleNotFoundError as error:
    if error.name != "django":
        raise
    raise ModuleNotFoundError(
        'polymarket_ws.integrations.django needs Django: pip install "polymarket-ws[django]"',
        name=error.name,
    ) from error

from polymarket_ws.integrations.service import Service

__all__ = ["current_polymarket"]


def current_polymarket() -> Service:
    """Return what this project has of us in this process: its ``client``, and ``lookup``.

    Raises:
        ImproperlyConfigured: ``POLYMARKET_WS`` holds something that cannot mean anything.
        LookupError: this application is not in ``INSTALLED_APPS``.
    """
    # Not at import: Django imports this package before the settings may be read.
    from polymarket_ws.integrations.django.apps import installed

    return installed().service
