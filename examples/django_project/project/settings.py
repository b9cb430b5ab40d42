"""Settings of the project. What belongs to polymarket-ws stands at the end."""

import os
from pathlib import Path

from django.http import HttpRequest

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = os.environ.get("DJANGO_DEBUG", "1") == "1"
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY") or ("only for this machine" if DEBUG else "")
ALLOWED_HOSTS = os.environ.get("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1").split(",")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "polymarket_ws.integrations.django",
    "fills",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DJANGO_DATABASE", BASE_DIR / "db.sqlite3"),
        # One writes while others read.
        "OPTIONS": {"timeout": 20},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "static/"
USE_TZ = True


def may_see_user(request: HttpRequest) -> bool:
    """Say whether this session is shown the account's orders and fills."""
    return request.user.is_superuser


POLYMARKET_WS = {
    # Slugs, addresses or ids; any market that a browser names where there is no list.
    "MARKETS": os.environ.get("POLYMARKET_MARKETS") or None,
    # The real exchange, or what `polymarket-ws simulate` prints.
    "ENDPOINTS": os.environ.get("POLYMARKET_URL") or None,
    # POLYMARKET_API_KEY and its like, where there are any.
    "CREDENTIALS": "env" if "POLYMARKET_API_KEY" in os.environ else None,
    "ALLOW_USER": may_see_user if "POLYMARKET_API_KEY" in os.environ else None,
}
