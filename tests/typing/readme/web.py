from flask import Flask

from polymarket_ws.integrations.flask import PolymarketWS

app = Flask(__name__)
app.config["POLYMARKET_MARKETS"] = ["will-it-rain-in-lisbon-on-new-years-day"]
PolymarketWS(app)  # /polymarket/ is a page that moves
