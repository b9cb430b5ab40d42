"""A Flask site with live markets.

    FLASK_POLYMARKET_MARKETS=<slug>,<slug> flask --app flask_app run

Then /polymarket/ is a page that moves, and /polymarket/events what it listens to.
"""

from __future__ import annotations

import os

from flask import Flask, session

from polymarket_ws import LookupFailed
from polymarket_ws.integrations.flask import PolymarketWS, current_polymarket

app = Flask(__name__)
app.secret_key = os.urandom(32)  # in production: a fixed one, the same for every worker
app.config.from_prefixed_env()  # FLASK_POLYMARKET_MARKETS becomes POLYMARKET_MARKETS
polymarket = PolymarketWS(app)


@polymarket.allow_user
def is_owner() -> bool:
    """Orders and fills are for the session that the site's own login has marked."""
    return bool(session.get("is_owner"))


@app.get("/")
def home() -> str:
    """Link to the page, and to what a page of your own would listen to."""
    return '<p><a href="/polymarket/">Live markets</a></p>'


@app.get("/markets/<slug>")
def market(slug: str) -> tuple[dict[str, object], int]:
    """Answer with the facts of a market, which are remembered for five minutes."""
    try:
        found = current_polymarket.lookup(slug)
    except LookupFailed as error:
        return {"error": str(error)}, 404
    return {"question": found.question, "outcomes": found.outcomes}, 200
