from __future__ import annotations

from django.urls import resolve, reverse

from polymarket_ws.integrations.django import views


def test_each_view_has_its_address() -> None:
    assert resolve("/").func is views.page
    assert resolve("/events").func is views.events
    assert resolve("/health").func is views.health
    assert resolve("/assets/page.js").kwargs == {"name": "page.js"}


def test_below_another_address_they_have_a_namespace() -> None:
    from django.urls import include, path

    prefixed = type("urls", (), {})
    prefixed.urlpatterns = [  # type: ignore[attr-defined]
        path("live/", include("polymarket_ws.integrations.django.urls"))
    ]
    assert reverse("polymarket:events", urlconf=prefixed) == "/live/events"  # type: ignore[arg-type]
