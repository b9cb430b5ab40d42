"""The application as Django knows it. Being installed opens nothing."""

from __future__ import annotations

from typing import Any, cast

import attrs
from django.apps import AppConfig, apps
from django.core import checks as django_checks
from django.core.signals import setting_changed

from polymarket_ws.integrations.django.settings import SETTING, DjangoOptions, read_settings
from polymarket_ws.integrations.service import PerProcess, Service

__all__ = ["PolymarketWSConfig", "installed"]

_LABEL = "polymarket_ws"


@attrs.frozen
class _Configured:
    """The settings, and what was made with them."""

    options: DjangoOptions
    processes: PerProcess


class PolymarketWSConfig(AppConfig):
    """Django's configuration of the application."""

    name = "polymarket_ws.integrations.django"
    label = _LABEL
    verbose_name = "Polymarket"

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        # At most one entry. A dictionary, since setdefault is one call of C: two requests
        # that come first together agree on one, without a lock that a fork could copy.
        self._configured: dict[None, _Configured] = {}

    def ready(self) -> None:
        """Have checks run. The settings are read when they are first needed."""
        # Not above: checks import this module.
        from polymarket_ws.integrations.django import checks

        for check, options in checks.CHECKS:
            django_checks.register(check, "polymarket_ws", **options)
        setting_changed.connect(self._setting_changed, dispatch_uid="polymarket_ws")

    @property
    def options(self) -> DjangoOptions:
        """The settings of the project.

        Raises:
            ImproperlyConfigured: one of them cannot mean anything.
        """
        return self._now().options

    @property
    def service(self) -> Service:
        """The client of this process and what is told with it; inert until it is used.

        Raises:
            ImproperlyConfigured: a setting cannot mean anything.
        """
        return self._now().processes.service

    def close(self, timeout: float = 2.0) -> bool:
        """End every response and the client of this process; happens at exit by itself.

        What asks for the service afterwards is given a new one.

        Args:
            timeout: seconds to wait at most.

        Returns:
            False if something did not end in time.
        """
        held = self._configured.pop(None, None)
        return held is None or held.processes.close(timeout)

    def _now(self) -> _Configured:
        held = self._configured.get(None)
        if held is None:
            options = read_settings()
            made = _Configured(options, PerProcess(options.shared))
            held = self._configured.setdefault(None, made)
        return held

    def _setting_changed(self, *, setting: str, **_: Any) -> None:
        # override_settings of a project's tests.
        if setting == SETTING:
            self.close()


def installed() -> PolymarketWSConfig:
    """Return the installed application.

    Raises:
        LookupError: it is not in ``INSTALLED_APPS``.
    """
    return cast(PolymarketWSConfig, apps.get_app_config(_LABEL))
