"""A web server of its own process, as ``site.py`` starts and kills it.

Arguments: the address of the exchange, the port, and the origin that may embed the components
(or an empty text). Credentials are in the environment.
"""

from __future__ import annotations

import os
import sys

from flask import Flask, Response
from werkzeug.serving import make_server

from polymarket_ws.integrations.flask import PolymarketWS


def main(exchange: str, port: str, embedding_origin: str) -> None:
    app = Flask("site")
    app.config["POLYMARKET_ENDPOINTS"] = exchange
    app.config["POLYMARKET_MARKETS"] = os.environ["SHOWN_MARKETS"]
    app.config["POLYMARKET_URL_PREFIX"] = "/polymarket"
    if "POLYMARKET_API_KEY" in os.environ:
        app.config["POLYMARKET_CREDENTIALS"] = "env"
    PolymarketWS(app, allows_user=lambda: "POLYMARKET_API_KEY" in os.environ)

    if embedding_origin:

        @app.after_request
        def allow_embedding(response: Response) -> Response:
            response.headers["Access-Control-Allow-Origin"] = embedding_origin
            response.headers["Vary"] = "Origin"
            return response

    make_server("127.0.0.1", int(port), app, threaded=True).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
