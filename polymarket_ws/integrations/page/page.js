/** The page itself: a component for each market that the server tells of, and the strip on top. */

import "./polymarket.js";
import { batched, h, mark, put } from "./dom.js";
import { join } from "./feed.js";
import { MarketState } from "./market-state.js";
import { story } from "./story.js";

const at = (id) => document.getElementById(id);

// What the page's own address says is passed on: ?market=…&market=…&user=1
const source = new URL("events", document.baseURI);
for (const [name, value] of new URLSearchParams(location.search)) {
  if (name === "market" || name === "user") source.searchParams.append(name, value);
}

at("date").textContent = new Intl.DateTimeFormat("en-GB", { dateStyle: "full" }).format();

const shown = new Map();

const draw = batched(() => {
  const told = story(feed, Date.now());
  mark(at("connection"), "data-tone", told.tone);
  put(at("state"), told.word);
  put(at("detail"), told.detail);
  const count = feed.markets.size;
  put(at("count"), count === 0 ? "" : count === 1 ? "1 market" : `${count} markets`);
  for (const market of feed.markets.values()) {
    if (shown.has(market.id)) continue;
    const card = h("polymarket-market", { src: source.href, market: market.id });
    shown.set(market.id, card);
    at("markets").append(card);
  }
  at("waiting").hidden = shown.size > 0;
  const hasOrders = feed.hasUser || feed.account.complaint;
  if (hasOrders && !at("orders").firstChild) {
    at("to-orders").hidden = false;
    at("orders").append(h("polymarket-orders", { src: source.href }));
  }
});

const feed = join(source.href, {
  market: null,
  user: false,
  changed: (subject) => {
    const isNew = subject instanceof MarketState && !shown.has(subject.id);
    if (subject === null || isNew) draw();
  },
});
