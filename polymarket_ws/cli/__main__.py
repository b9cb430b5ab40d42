"""``python -m polymarket_ws.cli`` is ``polymarket-ws``."""

import sys

from polymarket_ws.cli import main

if __name__ == "__main__":
    sys.exit(main())
