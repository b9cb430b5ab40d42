/**
 * One EventSource for each address of events, shared by every component of the page that names it.
 *
 * EventSource comes back by itself as long as the server is merely away. It gives up for good when
 * the answer is no stream of events, as that of a proxy whose server is down: then the feed opens
 * another one, later and later.
 */

import { MarketState } from "./market-state.js";
import { AccountState } from "./order-state.js";

const VERSION = 1;
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 30_000;

/** What is ticking on the screen, as "3 s ago", is drawn this often. */
const TICK_MS = 1000;

/**
 * A server may end a response that is all right, to check again who listens; a browser is back
 * two seconds later. Before that there is nothing to say.
 */
export const GRACE_MS = 3500;

/**
 * @typedef {object} Member a component, or the page
 * @property {string | null} market what it wants: a slug, a condition id, a token id; null: nothing
 * @property {boolean} user whether it wants the user's orders and trades
 * @property {(subject: MarketState | AccountState | null) => void} changed null: the feed itself
 */

/** @type {Map<string, Feed>} */
const feeds = new Map();

/**
 * Take part in the feed of an address, which is opened for the first and closed after the last.
 * @param {string} src
 * @param {Member} member
 */
export function join(src, member) {
  const address = new URL(src, document.baseURI).href;
  const feed = feeds.get(address) ?? new Feed(address);
  feeds.set(address, feed);
  feed.add(member);
  return feed;
}

export class Feed {
  /**
   * A browser does not show what keeps a connection alive: after so much silence the server is asked
   * anew. It may be that nothing happened, or that nobody is there any more.
   */
  static quietMs = 45_000;

  /** A server that takes longer to begin an answer is away. Less than the silence above. */
  static answerMs = 5000;

  /** @type {Set<Member>} */ #members = new Set();
  /** @type {EventSource | null} */ #source = null;
  /** @type {string[]} markets that the open address names */ #named = [];
  /** @type {Set<string>} names that the server does not show */ #unknown = new Set();
  #retryMs = FIRST_RETRY_MS;
  #retryTimer = 0;
  #checkTimer = 0;
  #tickTimer = 0;
  #withUser = false;
  #userRefused = false;
  #lastEventId = "";
  /** The last id before markets were added: to those, what came before it was never told. */
  #grewAfter = "";
  #missedUntil = 0;
  #openedAt = 0;
  #heardAt = 0;
  #online = () => this.link === "away" && this.#open();

  /** @param {string} src the absolute address of the events */
  constructor(src) {
    this.src = src;
    /** @type {Map<string, MarketState>} by condition id, in the server's order */
    this.markets = new Map();
    this.account = new AccountState();
    /** @type {"connecting" | "live" | "away"} of this browser to the server */
    this.link = "connecting";
    /** @type {Set<string>} channels on which the server has lost the exchange */
    this.lostChannels = new Set();
    /** Unix milliseconds of the last change of one of the two. */
    this.since = Date.now();
    this.gaps = 0;
    this.missedSeconds = 0;
    /** How often the connection was lost, and how long the last time. */
    this.outages = 0;
    this.outageSeconds = 0;
    /** Updates that were left out, because this browser or the server was too slow. */
    this.dropped = { browser: 0, server: 0 };
    /** What the server said went wrong; empty when all is well again. */
    this.complaint = "";
    /** Whether the server said that what is asked for makes no sense: asking again is no use. */
    this.refused = false;
    /** Whether it was ever told what it is subscribed to. */
    this.told = false;
    /** Whether the server tells of the user's orders. */
    this.hasUser = false;
    addEventListener("online", this.#online);
  }

  /** @param {Member} member */
  add(member) {
    this.#members.add(member);
    this.#tickTimer ||= setInterval(() => this.#tick(Date.now()), TICK_MS);
    this.#check();
  }

  /** @param {Member} member */
  remove(member) {
    this.#members.delete(member);
    this.#check();
  }

  /**
   * Whether it is this member that speaks to screen readers for the feed: one of them does.
   * @param {Member} member
   */
  isVoice(member) {
    return this.#members.values().next().value === member;
  }

  /**
   * The market that is called so, or the first one where nothing is named.
   * @param {string | null} what
   */
  find(what) {
    for (const market of this.markets.values()) {
      if (what === null || market.isCalled(what)) return market;
    }
    return null;
  }

  // Components come and go in one go: what follows from it is looked at once, after that.
  #check() {
    clearTimeout(this.#checkTimer);
    this.#checkTimer = setTimeout(() => {
      if (this.#members.size === 0) this.#close();
      else if (this.#source === null && !this.#retryTimer) this.#widen();
      else if (!this.#covers()) this.#widen();
      this.#tell(null);
    });
  }

  #wishes() {
    const wishes = [...this.#members].map((one) => one.market);
    return wishes.filter((wish) => wish !== null && !this.#unknown.has(wish));
  }

  #covers() {
    if (!this.#withUser && this.#wantsUser()) return false;
    return this.#wishes().every((wish) => this.#isTold(wish));
  }

  #isTold(wish) {
    if (this.#named.includes(wish)) return true;
    const market = this.find(wish);
    if (market === null) return false;
    return this.#named.length === 0 || this.#named.some((name) => market.isCalled(name));
  }

  // A component that names no market shows one all the same; orders show none.
  #isShown(name) {
    const market = this.find(name);
    return [...this.#members].some((one) => {
      if (one.market === null) return !one.user;
      return one.market === name || market?.isCalled(one.market);
    });
  }

  #wantsUser() {
    return [...this.#members].some((one) => one.user);
  }

  // What is on the screen already stays in the address, also where the server chose it. What no
  // component shows any more makes room: a server tells of so many markets and no more.
  #widen() {
    const missing = this.#wishes().filter((wish) => !this.#isTold(wish));
    if (missing.length > 0) {
      const known = this.#named.length > 0 ? this.#named : [...this.markets.keys()];
      const shown = known.filter((name) => this.#isShown(name));
      this.#named = [...new Set([...shown, ...missing])];
      for (const [id, market] of this.markets) {
        const stays = this.#named.some((name) => market.isCalled(name));
        if (!stays) this.markets.set(id, market.blank());
      }
    }
    // Whose orders were not told yet is first told those of late, as a page that is opened.
    if (!this.#withUser && this.#wantsUser()) {
      this.#withUser = true;
      this.#lastEventId = "";
    }
    this.#grewAfter = this.link === "live" ? this.#lastEventId : "";
    this.#open();
  }

  #address() {
    const url = new URL(this.src);
    const there = new Set(url.searchParams.getAll("market"));
    for (const name of this.#named) if (!there.has(name)) url.searchParams.append("market", name);
    if (this.#withUser) url.searchParams.set("user", "1");
    if (this.#userRefused) url.searchParams.delete("user");
    if (this.#lastEventId) url.searchParams.set("last_event_id", this.#lastEventId);
    return url.href;
  }

  #open() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
    this.#source?.close();
    this.refused = false;
    this.#openedAt = Date.now();
    const source = new EventSource(this.#address());
    this.#source = source;
    source.onerror = () => this.#lost(source);
    const listen = (name, fold) =>
      source.addEventListener(name, (event) => {
        this.#heardAt = Date.now();
        this.#lastEventId = event.lastEventId || this.#lastEventId;
        const message = JSON.parse(event.data);
        if (this.#forgives(message.data, event.lastEventId)) return;
        if ((message.v ?? VERSION) === VERSION) return fold.call(this, message, Date.now());
        this.#complain(
          `The server speaks version ${message.v} of its events, this page ${VERSION}.`,
        );
      });
    listen("polymarket-ws-subscribed", this.#subscribed);
    listen("polymarket-market-update", this.#marketUpdate);
    listen("polymarket-user-update", this.#userUpdate);
    listen("polymarket-ws-disconnected", this.#upstreamGone);
    listen("polymarket-ws-error", this.#wentWrong);
  }

  #close() {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#tickTimer);
    this.#tickTimer = this.#retryTimer = 0;
    this.#source?.close();
    this.#source = null;
    removeEventListener("online", this.#online);
    if (feeds.get(this.src) === this) feeds.delete(this.src);
  }

  #tick(now) {
    const waits = now - this.#openedAt;
    if (!this.refused && waits > Feed.quietMs && now - this.#heardAt > Feed.quietMs) {
      this.#open();
    } else if (this.link !== "away" && waits > Feed.answerMs && this.#heardAt < this.#openedAt) {
      this.#move("away");
      if (this.#heardAt) this.since = this.#heardAt;
    }
    this.#tell(null);
  }

  #lost(source) {
    if (source !== this.#source) return;
    this.#grewAfter = "";
    this.#move("away");
    if (source.readyState !== EventSource.CLOSED) return;
    this.#askWhy(source);
    clearTimeout(this.#retryTimer);
    // Spread, so that not every page in the world comes back in the same moment.
    this.#retryTimer = setTimeout(() => this.#open(), this.#retryMs * (0.5 + Math.random() / 2));
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
  }

  // An EventSource does not tell what it was answered: only then it is worth another request.
  async #askWhy(source) {
    const { url } = source;
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(Feed.answerMs) });
      if (answer.ok) return await answer.body?.cancel();
      const text = String((await answer.json()).data.message);
      const forOrders = new URL(url).searchParams.has("user");
      if (forOrders && (answer.status === 403 || answer.status === 404)) {
        // A session that may not see orders, or has ended, still sees prices.
        this.#userRefused = true;
        this.account.complaint = text;
      } else if (!(await this.#leaveOutUnknown())) {
        if (answer.status === 400 && source === this.#source) {
          clearTimeout(this.#retryTimer);
          this.#retryTimer = 0;
          this.refused = true;
        }
        this.#complain(text);
      }
    } catch {
      // It is not there, or not ours to understand: that it is away is said already.
    }
  }

  // One name that the server does not show must not cost the others: each is asked for alone. A
  // HEAD opens no stream. Returns whether there are others.
  async #leaveOutUnknown() {
    const names = this.#named;
    if (names.length < 2) return false;
    const answers = await Promise.all(
      names.map((name) => {
        const url = new URL(this.src);
        url.searchParams.append("market", name);
        return fetch(url, { method: "HEAD", signal: AbortSignal.timeout(Feed.answerMs) });
      }),
    );
    const shown = names.filter((_, index) => answers[index].ok);
    if (shown.length === 0 || shown.length === names.length) return false;
    for (const name of names) if (!shown.includes(name)) this.#unknown.add(name);
    this.#named = shown;
    return true;
  }

  #move(link) {
    if (this.link === link) return;
    // A first connection that fails is away since the page was opened.
    if (!(this.link === "connecting" && link === "away")) this.since = Date.now();
    this.link = link;
    this.#tell(null);
  }

  // A process that knows the last id tells what came after it, and calls it a gap if markets are
  // new to it. To this page they are new, too: of those it had nothing is missing.
  #forgives(data, id) {
    if (!this.#grewAfter || data.type === undefined) return false;
    const known = this.#grewAfter.split("-")[0] === id.split("-")[0];
    this.#grewAfter = "";
    return known && data.type === "gap" && data.channel === undefined;
  }

  #subscribed({ data }, now) {
    this.#retryMs = FIRST_RETRY_MS;
    if (this.link === "away" && this.told) {
      this.outageSeconds = (now - this.since) / 1000;
      if (now - this.since > GRACE_MS) this.outages += 1;
    }
    if (data.gap_seconds) this.#missed(data.gap_seconds, now);
    this.told = true;
    this.hasUser ||= Boolean(data.user);
    this.complaint = "";
    if (data.channel) this.lostChannels.delete(data.channel);
    else this.lostChannels.clear();
    for (const facts of data.markets ?? []) {
      const known = this.markets.get(facts.condition_id);
      if (known) known.describe(facts);
      else this.markets.set(facts.condition_id, new MarketState(facts));
    }
    this.#move("live");
    this.#check();
  }

  #marketUpdate({ market, data }, now) {
    let state = this.markets.get(market);
    if (!state) this.markets.set(market, (state = new MarketState({ condition_id: market })));
    state.fold(data, now);
    this.#tell(state);
  }

  #userUpdate({ market, data }, now) {
    this.account.fold(market, data, now);
    this.#tell(this.account);
  }

  #upstreamGone({ data }, now) {
    if (this.lostChannels.size === 0) this.since = now;
    this.lostChannels.add(data.channel ?? "market");
    this.#tell(null);
  }

  #wentWrong({ data }, now) {
    if (data.type === "dropped") {
      this.dropped[data.asset_ids ? "server" : "browser"] += Number(data.count ?? 1);
    } else if (data.type === "gap") {
      // Of the account it says from when to when; of markets it is the outage that just ended.
      this.#missed(data.until ? (data.until - data.since) / 1000 : this.outageSeconds, now);
    } else if (data.asset_ids) {
      for (const market of this.markets.values()) {
        if (data.asset_ids.some((id) => market.isCalled(id))) market.complaint = data.message;
      }
    } else {
      this.complaint = String(data.message ?? data.type);
    }
    this.#tell(null);
  }

  #complain(text) {
    this.complaint = text;
    this.#tell(null);
  }

  // One outage is told for each connection that it ended: what overlaps is counted once.
  #missed(seconds, now) {
    const begin = now - seconds * 1000;
    if (begin > this.#missedUntil) this.gaps += 1;
    this.missedSeconds += (now - Math.max(begin, this.#missedUntil)) / 1000;
    this.#missedUntil = now;
  }

  #tell(subject) {
    for (const member of this.#members) member.changed(subject);
  }
}
