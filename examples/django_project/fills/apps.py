"""The application that keeps fills."""

from django.apps import AppConfig


class FillsConfig(AppConfig):
    """Connects the receivers once the models are there."""

    name = "fills"

    def ready(self) -> None:
        """Import the receivers, which connects them."""
        from fills import receivers  # noqa: F401 - importing is connecting
