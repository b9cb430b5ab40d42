"""The page, what it listens to, and what a probe asks.

::

    path("polymarket/", include("polymarket_ws.integrations.django.urls"))

All of it is below the address that is given there, and refers to the rest by relative addresses.
"""

from __future__ import annotations

from django.urls import path

from polymarket_ws.integrations.django import views

__all__ = ["app_name", "urlpatterns"]

app_name = "polymarket"

urlpatterns = [
    path("", views.page, name="page"),
    path("assets/<str:name>", views.asset, name="asset"),
    path("events", views.events, name="events"),
    path("health", views.health, name="health"),
]
