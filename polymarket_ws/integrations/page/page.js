/** The page itself: a component for each market that the server tells of, and the strip on top. */

import "./polymarket.js";
import { batched, h, mark, put } from "./dom.js";
import { join } from "./feed.js";
import { MarketState } from "./market-state.js";
import { story } from "./story.js";

const at = (id) => document.getElementById(id);

// What the page's own address says is passed on: ?market=…&market=…&user=1
const source = new URL("events", document.baseURI);
/** @type {Set<string>} */ const named = new Set();
for (const [name, value] of new URLSearchParams(location.search)) {
  // A market that is named by the address of its page is known by another name when it comes.
  if (name === "market" && value && !value.includes("/")) named.add(value);
  else if (name === "market" || name === "user") source.searchParams.append(name, value);
}

at("date").textContent = new Intl.DateTimeFormat("en-GB", { dateStyle: "full" }).format();

const shown = new Set();

function placeOf(market) {
  return h("polymarket-market", { src: source.href, market });
}

// Each has its place from the start, and says itself if the server does not show it.
const places = new Map([...named].map((name) => [name, placeOf(name)]));
at("markets").append(...places.values());

const draw = batched(() => {
  const told = story(feed, Date.now());
  mark(at("connection"), "data-tone", told.tone);
  put(at("state"), told.word);
  put(at("detail"), told.detail);
  const count = feed.markets.size;
  put(at("count"), count === 0 ? "" : count === 1 ? "1 market" : `${count} markets`);
  for (const market of feed.markets.values()) {
    if (shown.has(market.id)) continue;
    shown.add(market.id);
    const names = [...named].filter((name) => market.isCalled(name));
    if (names.length === 0) at("markets").append(placeOf(market.id));
    // Named twice, as by its slug and by its id.
    for (const name of names.slice(1)) places.get(name).remove();
  }
  at("waiting").hidden = shown.size + named.size > 0;
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
