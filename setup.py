"""What the package is called, needs and installs."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def version() -> str:
    # Read as text: importing the package would need its dependencies, which come later.
    text = (HERE / "polymarket_ws" / "_version.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise RuntimeError("polymarket_ws/_version.py has no __version__")
    return found.group(1)


def long_description() -> str:
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.is_file() else ""


EXTRAS = {
    # 8.1 is the first click without Python 2.
    "cli": ["click>=8.1", "rich>=13"],
    # The long-term release before the current one; see docs/howto/django.md for what it cannot do.
    "django": ["django>=4.2"],
    # 2.3 is the oldest that all tests were seen to pass with, and with Werkzeug 2.3.
    "flask": ["flask>=2.3"],
    # 15.0 is the first whose threaded server takes ping_interval; process_request is older.
    "simulator": ["websockets>=15.0"],
}

setup(
    name="polymarket-ws",
    version=version(),
    description="Polymarket's live streams in a plain for loop, and a note of what was missed",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    author="polymarket-ws contributors",
    license="MIT",
    license_files=["LICENSE"],
    keywords=["polymarket", "websocket", "market data", "order book", "threads"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Django",
        "Framework :: Django :: 4.2",
        "Framework :: Django :: 5.2",
        "Framework :: Pytest",
        "Intended Audience :: Developers",
        "Intended Audience :: Financial and Insurance Industry",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: Implementation :: CPython",
        "Topic :: Office/Business :: Financial :: Investment",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=["polymarket_ws", "polymarket_ws.*"]),
    package_data={"polymarket_ws": ["py.typed", "integrations/page/*"]},
    zip_safe=False,
    install_requires=[
        "attrs>=23.1",
        "cattrs[msgspec]>=24.1",
        "keyring>=24",
        "msgspec>=0.19",
        "urllib3>=2.0",
        "websocket-client>=1.9.2",
    ],
    extras_require={
        **EXTRAS,
        "all": sorted({needed for extra in EXTRAS.values() for needed in extra}),
        # What `tox -e docs` needs beside "all".
        "docs": ["furo>=2024.8.6", "myst-parser>=4.0", "sphinx>=8.1"],
        # Whom `python -m benchmarks` measures beside us, and `pytest benchmarks`.
        "benchmarks": [
            "picows>=2.0",
            'polymarket-client==0.14.0; python_version >= "3.11"',
            "pytest-benchmark>=5.0",
            "trustme>=1.1",
            "websockets>=15.0",
        ],
        # What the test suite needs beside "all".
        "test": [
            # What reads the page with axe-core, which it brings along.
            "axe-playwright-python>=0.1.8",
            # The servers and the queue that people run us in. gevent has wheels for CPython.
            "celery>=5.4",
            'gevent>=24.2; platform_python_implementation == "CPython"',
            'gunicorn>=22; sys_platform != "win32"',
            "hypothesis>=6.100",
            # It drives the Chromium that is there; its own is never downloaded.
            "playwright>=1.49",
            # What our exchange is checked against. It wants websockets below 16.
            'polymarket-client==0.14.0; python_version >= "3.11"',
            "pytest>=8.2",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "trustme>=1.1",
            # 0.29 is the first whose server can be seen to stop.
            "uvicorn>=0.29",
        ],
    },
    entry_points={
        "console_scripts": ["polymarket-ws = polymarket_ws.cli:main"],
        "pytest11": ["polymarket_ws = polymarket_ws.simulator.pytest_plugin"],
    },
)
