/** What there is to say of a feed's connection, in plain words. Pure. */

import { GRACE_MS } from "./feed.js";
import { ago, span } from "./format.js";

/**
 * @typedef {object} Story
 * @property {"live" | "away" | "connecting" | "wrong"} tone
 * @property {string} word the state in a word or two; rarely another one, so it may be read aloud
 * @property {string} detail what changes with every second
 */

/**
 * @param {import("./feed.js").Feed} feed
 * @param {number} now Unix milliseconds
 * @returns {Story}
 */
export function story(feed, now) {
  const since = ago((now - feed.since) / 1000);
  if (feed.link === "away" && feed.told && !feed.complaint && now - feed.since < GRACE_MS) {
    return { tone: "live", word: "Live", detail: "renewing the connection" };
  }
  if (feed.link === "away") {
    if (feed.refused) return { tone: "wrong", word: "Nothing to show", detail: feed.complaint };
    if (feed.complaint) {
      return { tone: "wrong", word: "Trouble", detail: `${feed.complaint}; trying again` };
    }
    const lost = feed.told ? `connection lost ${since}` : "no answer yet";
    return { tone: "away", word: "The server is away", detail: `${lost}, trying again` };
  }
  if (feed.link === "connecting") {
    return { tone: "connecting", word: "Connecting", detail: "waiting for the server" };
  }
  if (feed.lostChannels.size > 0) {
    const detail = `the server lost Polymarket ${since}, prices are as of then`;
    return { tone: "away", word: "Reconnecting", detail };
  }
  if (feed.complaint) return { tone: "wrong", word: "Trouble", detail: feed.complaint };
  return { tone: "live", word: "Live", detail: losses(feed) };
}

/** @param {import("./feed.js").Feed} feed */
export function losses(feed) {
  const parts = [];
  if (feed.gaps) {
    const gaps = feed.gaps === 1 ? "1 gap" : `${feed.gaps} gaps`;
    parts.push(`missed ${span(feed.missedSeconds)} in ${gaps}`);
  } else if (feed.outages) {
    parts.push(`back after ${span(feed.outageSeconds)}, nothing missed`);
  }
  const { browser, server } = feed.dropped;
  if (browser) parts.push(`this browser was too slow: ${browser} updates left out`);
  if (server) parts.push(`the server was too slow: ${server} updates left out`);
  return parts.join("; ") || "nothing missed";
}
