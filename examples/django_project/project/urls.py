"""Addresses of the project."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(url="polymarket/")),
    path("admin/", admin.site.urls),
    path("polymarket/", include("polymarket_ws.integrations.django.urls")),
]
