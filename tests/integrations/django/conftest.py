"""Settings for tests in this process, made once. Whole projects run in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

django = pytest.importorskip("django", reason="django is not installed: the extra django has it")

from django.conf import settings  # noqa: E402

from polymarket_ws.simulator import Exchange  # noqa: E402
from tests.conftest import scaled  # noqa: E402

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=["polymarket_ws.integrations.django"],
        LOGGING_CONFIG=None,
        ROOT_URLCONF="polymarket_ws.integrations.django.urls",
        SECRET_KEY="of-the-tests",
        USE_TZ=True,
    )
    django.setup()


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with Exchange(rate=None, markets=2) as exchange:
        yield exchange


@pytest.fixture(autouse=True)
def nothing_is_configured_before_and_nothing_goes_on_afterwards() -> Iterator[None]:
    from polymarket_ws.integrations.django.apps import installed

    installed().close()
    yield
    assert installed().close(scaled(5.0))
