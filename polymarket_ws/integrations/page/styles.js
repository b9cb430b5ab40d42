/**
 * How the components look. A site changes it with the custom properties of `:host` and with the
 * parts; see docs/howto/page.md. Every pair of text and ground below has a contrast of 4.5 or more.
 */

import { sheet } from "./dom.js";

export const shared = sheet(`
:host {
  --pm-ground: var(--polymarket-ground, #fffefb);
  --pm-ink: var(--polymarket-ink, #1b1a17);
  --pm-muted: var(--polymarket-muted, #615c52);
  --pm-rule: var(--polymarket-rule, #ddd8cc);
  --pm-up: var(--polymarket-up, #0b6b43);
  --pm-down: var(--polymarket-down, #ac2a1f);
  --pm-up-bar: var(--polymarket-up-bar, #d3eadd);
  --pm-down-bar: var(--polymarket-down-bar, #f6dcd7);
  --pm-accent: var(--polymarket-accent, #1d4f91);
  --pm-serif: var(--polymarket-headline-font, "Iowan Old Style", "Palatino Linotype", Palatino, P052,
    "URW Palladio L", Georgia, serif);
  --pm-sans: var(--polymarket-font, Inter, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
  color-scheme: light dark;
  display: block;
  container-type: inline-size;
  /* Of what is scrolled away only the words are kept up to date, and nothing is laid out. */
  content-visibility: auto;
  contain-intrinsic-block-size: auto 420px;
  color: var(--pm-ink);
  font: 13px/20px var(--pm-sans);
  font-variant-numeric: tabular-nums lining-nums;
  text-align: start;
}
@media (max-width: 560px) {
  :host { contain-intrinsic-block-size: auto 660px; }
}
@media (prefers-color-scheme: dark) {
  :host {
    --pm-ground: var(--polymarket-ground, #181a1d);
    --pm-ink: var(--polymarket-ink, #eae7e0);
    --pm-muted: var(--polymarket-muted, #a5a199);
    --pm-rule: var(--polymarket-rule, #34383d);
    --pm-up: var(--polymarket-up, #62cf98);
    --pm-down: var(--polymarket-down, #ff9384);
    --pm-up-bar: var(--polymarket-up-bar, #1d3b2e);
    --pm-down-bar: var(--polymarket-down-bar, #482724);
    --pm-accent: var(--polymarket-accent, #8fb8f2);
  }
}
:host([hidden]) { display: none; }
*, *::before, *::after { box-sizing: border-box; }
h2, p { margin: 0; }
.card {
  background: var(--pm-ground);
  border-block-start: 3px solid var(--pm-ink);
  padding: 14px 18px 12px;
}
.head { display: flex; align-items: flex-start; justify-content: space-between; gap: 16px; }
/* What stands there until the market is known may be a token id of 77 digits. */
h2 { min-inline-size: 0; font: 600 20px/26px var(--pm-serif); text-wrap: balance; overflow-wrap: anywhere; }
caption {
  color: var(--pm-muted);
  font: 600 11px/16px var(--pm-sans);
  letter-spacing: .04em;
  text-align: start;
}
caption { padding-block-end: 4px; border-block-end: 1px solid var(--pm-rule); }
.badge {
  flex: none;
  display: inline-flex;
  align-items: center;
  gap: 6px;
  margin-block-start: 3px;
  font-weight: 600;
  font-size: 12px;
  white-space: nowrap;
}
.badge::before {
  content: "";
  inline-size: 8px;
  block-size: 8px;
  border-radius: 50%;
  border: 2px solid currentColor;
}
.badge[data-tone="live"] { color: var(--pm-up); }
.badge[data-tone="live"]::before { background: currentColor; }
.badge[data-tone="away"], .badge[data-tone="wrong"] { color: var(--pm-down); }
.badge[data-tone="away"]::before { border-radius: 0; }
.badge[data-tone="wrong"]::before { border-radius: 0; background: currentColor; }
.badge[data-tone="connecting"] { color: var(--pm-muted); }
.badge[data-tone="over"] { color: var(--pm-ink); }
.badge[data-tone="over"]::before { border-radius: 0; background: currentColor; rotate: 45deg; }
table { border-collapse: collapse; inline-size: 100%; table-layout: fixed; }
th, td { padding: 0; font-weight: 400; text-align: end; white-space: nowrap; overflow: hidden; }
th:first-child, td:first-child { text-align: start; }
thead th { color: var(--pm-muted); font-size: 11px; line-height: 22px; }
.up { color: var(--pm-up); }
.down { color: var(--pm-down); }
.quiet { color: var(--pm-muted); }
.foot {
  display: flex;
  flex-wrap: wrap;
  justify-content: space-between;
  gap: 0 16px;
  margin-block-start: 12px;
  padding-block-start: 7px;
  border-block-start: 1px solid var(--pm-rule);
  color: var(--pm-muted);
  font-size: 11px;
  line-height: 16px;
}
.silent {
  position: absolute;
  inline-size: 1px;
  block-size: 1px;
  margin: -1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
:focus-visible { outline: 2px solid var(--pm-accent); outline-offset: 2px; border-radius: 2px; }
@keyframes changed-a { from { background: var(--pm-flash); } }
@keyframes changed-b { from { background: var(--pm-flash); } }
.chance[data-moved="up"] { --pm-flash: var(--pm-up-bar); }
.chance[data-moved="down"] { --pm-flash: var(--pm-down-bar); }
[data-flash="a"] { animation: changed-a 900ms ease-out; }
[data-flash="b"] { animation: changed-b 900ms ease-out; }
@media (prefers-reduced-motion: reduce) { [data-flash] { animation: none; } }
[hidden] { display: none !important; }
/* The footer always has two lines there: what it says of the connection may be long. */
@container (max-width: 520px) {
  .card { padding-inline: 14px; }
  .foot { flex-direction: column; }
}
@media (forced-colors: active) { .fill { background: CanvasText; } }
`);

export const market = sheet(`
.outcomes { margin-block-start: 10px; }
.outcomes col.name { inline-size: 18%; }
.outcomes col.chance { inline-size: 17%; }
.outcomes[data-long] col.name { inline-size: 26%; }
.outcomes col.price { inline-size: 12%; }
.outcomes col.change { inline-size: 17%; }
.outcomes tbody tr { block-size: 46px; border-block-start: 1px solid var(--pm-rule); }
.outcomes tbody tr:last-child { border-block-end: 1px solid var(--pm-rule); }
.outcomes td { font-size: 14px; }
/* The ring around a button that has the focus is wider than the button. */
.outcomes tbody th { overflow: visible; }
.number { padding: 3px 5px; border-radius: 2px; }
.number span { font-weight: 650; font-size: 25px; letter-spacing: -.02em; }
.number small { font-weight: 600; font-size: 14px; color: var(--pm-muted); }
.outcomes .spark { padding-inline-start: 16px; text-align: start; }
.spark svg { display: block; inline-size: 100%; block-size: 36px; overflow: hidden; }
.spark path, .spark line { vector-effect: non-scaling-stroke; fill: none; stroke: currentColor; }
.spark .line { stroke-width: 1.5; stroke-linejoin: round; }
.spark .area { fill: currentColor; stroke: none; opacity: .1; }
.spark .base { stroke: var(--pm-muted); stroke-width: 1; stroke-dasharray: 2 3; opacity: .7; }
button {
  appearance: none;
  display: inline-flex;
  align-items: center;
  gap: 7px;
  max-inline-size: 100%;
  min-block-size: 30px;
  margin: 0;
  padding: 0 8px 0 0;
  border: 0;
  background: none;
  color: inherit;
  font: 600 15px/20px var(--pm-sans);
  cursor: pointer;
}
button span:first-child {
  display: -webkit-box;
  overflow: hidden;
  text-align: start;
  white-space: normal;
  overflow-wrap: anywhere;
  -webkit-box-orient: vertical;
  -webkit-line-clamp: 2;
}
[data-long] button { font-size: 13px; line-height: 16px; }
button::before {
  content: "";
  flex: none;
  inline-size: 3px;
  block-size: 18px;
  background: var(--pm-rule);
}
button[aria-pressed="true"]::before { background: var(--pm-accent); }
button:hover span { text-decoration: underline; text-underline-offset: 3px; }
.below { display: grid; grid-template-columns: 1fr 1fr; align-items: start; gap: 0 28px; margin-block-start: 14px; }
.depth th:nth-child(n), .depth td:nth-child(n) { text-align: end; }
.depth th:nth-child(3), .depth td:nth-child(3),
.depth th:nth-child(4), .depth td:nth-child(4) { text-align: start; }
.depth td, .depth th { padding-inline: 8px; }
.depth td { position: relative; overflow: visible; line-height: 22px; }
.depth td.size { z-index: 1; }
.depth td.bid { color: var(--pm-up); font-weight: 600; }
.depth td.ask { color: var(--pm-down); font-weight: 600; }
.depth data { position: relative; }
/* From the middle outward, below the price and the size. */
.depth .fill {
  position: absolute;
  inset-block: 1px;
  inline-size: 200%;
  scale: var(--part, 0) 1;
}
.depth .fill.bid { right: 1px; transform-origin: right; background: var(--pm-up-bar); }
.depth .fill.ask { left: 1px; transform-origin: left; background: var(--pm-down-bar); }
.depth tbody tr, .trades tbody tr { block-size: 22px; }
.trades td { line-height: 22px; }
.trades col.time { inline-size: 31%; }
.trades col.side { inline-size: 15%; }
.trades td:nth-child(2), .trades th:nth-child(2),
.trades td:nth-child(3), .trades th:nth-child(3) { text-align: start; }
.trades td:nth-child(3) { text-overflow: ellipsis; }
@container (max-width: 520px) {
  .below { grid-template-columns: 1fr; gap: 14px; }
  .outcomes col.name { inline-size: 15%; }
  .outcomes[data-long] col.name { inline-size: 24%; }
  .outcomes col.chance { inline-size: 21%; }
  .outcomes col.price { inline-size: 12.5%; }
  .outcomes col.change { inline-size: 19%; }
  .outcomes td { font-size: 13px; }
  .outcomes[data-digits="2"] td { font-size: 11px; }
  .number { padding-inline: 2px; }
  .number span { font-size: 22px; }
  .number small { font-size: 12px; }
  .outcomes .spark { padding-inline-start: 10px; }
  button { padding-inline-end: 0; gap: 6px; }
}
/* Beside long names there is no room on a phone for a line that tells anything. */
@container (max-width: 400px) {
  .outcomes[data-long] .spark { display: none; }
  .outcomes[data-long] col.name { inline-size: 35%; }
}
@container (max-width: 330px) { .outcomes .spark { display: none; } }
`);

export const orders = sheet(`
.tables { display: grid; grid-template-columns: 1.5fr 1fr; gap: 14px 36px; margin-block-start: 12px; }
tbody tr { block-size: 42px; border-block-end: 1px solid var(--pm-rule); }
tbody td, tbody th { line-height: 18px; }
td:not(:last-child), th:not(:last-child) { padding-inline-end: 12px; }
td:nth-child(n), th:nth-child(n) { text-align: start; }
td.status:nth-child(n), th.status:nth-child(n) { text-align: end; }
.orders col.what { inline-size: 46%; }
.orders col.filled { inline-size: 24%; }
.fills col.time { inline-size: 22%; }
.fills col.status { inline-size: 30%; }
.line { display: block; overflow: hidden; text-overflow: ellipsis; }
.line.quiet { font-size: 11px; line-height: 14px; }
.side { font-weight: 650; }
.meter { display: block; block-size: 5px; margin-block-start: 4px; background: var(--pm-rule); }
.meter .fill {
  display: block;
  block-size: 100%;
  background: var(--pm-accent);
  transform-origin: left;
  scale: var(--part, 0) 1;
  transition: scale 250ms ease-out;
}
tr[data-end="filled"] .fill { background: var(--pm-up); }
tr[data-end="cancelled"] .fill { background: var(--pm-muted); }
.way b { font-weight: 650; }
tr[data-end=""] .way b { color: var(--pm-accent); }
tr[data-end="filled"] .way b { color: var(--pm-up); }
.none { color: var(--pm-muted); padding-block: 11px; }
@container (max-width: 760px) { .tables { grid-template-columns: 1fr; } }
@container (max-width: 520px) {
  .orders col.filled { inline-size: 28%; }
  .way .before { display: none; }
}
@media (prefers-reduced-motion: reduce) { .meter .fill { transition: none; } }
`);
