/** The one script that a site needs: it defines both components. */

import { PolymarketMarket } from "./market.js";
import { PolymarketOrders } from "./orders.js";

customElements.define("polymarket-market", PolymarketMarket);
customElements.define("polymarket-orders", PolymarketOrders);
