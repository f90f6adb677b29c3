"""The page's style sheet: no outside font, light and dark, wide and narrow."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f5f2; --card: #ffffff; --ink: #1c1f26; --soft: #5c6470; --rule: #e4e2dc;
  --accent: #2c5fc9; --accent-soft: #d5e0f7; --new: #b8540f; --good: #17734a; --good-soft: #dcf1e5;
  --bad: #a92f1b; --bad-soft: #fbe3de; --faint: #b9c8ea;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #101216; --card: #181b21; --ink: #e9ebef; --soft: #9ba3b0; --rule: #2b3038;
    --accent: #82a8ff; --accent-soft: #24345c; --new: #f2a067; --good: #6cd9a0; --good-soft: #14352a;
    --bad: #ff9482; --bad-soft: #421d18; --faint: #3b4d7a;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", sans-serif;
}
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 72px; }
h1, h2, h3, p, figure { margin: 0; }
h1 { font-size: 30px; line-height: 1.2; font-weight: 680; letter-spacing: -0.02em; }
h2 { font-size: 19px; line-height: 1.3; font-weight: 650; letter-spacing: -0.01em; margin: 48px 0 4px; }
h3 { font-size: 15px; font-weight: 650; }
code { font: 0.9em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.note, figcaption, .lead { color: var(--soft); }
.lead { max-width: 96ch; margin-bottom: 14px; }
.eyebrow { color: var(--soft); font-size: 13px; margin-bottom: 6px; }
.verdict { border-radius: 12px; padding: 14px 18px; margin: 22px 0 16px; overflow-wrap: anywhere; }
.verdict strong { font-size: 16px; }
.verdict ul { margin: 6px 0 0; padding-left: 20px; }
.verdict.good { background: var(--good-soft); } .verdict.good strong { color: var(--good); }
.verdict.bad { background: var(--bad-soft); } .verdict.bad strong { color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(5, 1fr); gap: 12px; margin: 0; }
section .tiles { margin-bottom: 12px; }
.tile, .card, figure {
  background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: 16px 18px; min-width: 0;
}
.tile { display: flex; flex-direction: column; }
.tile dt { color: var(--soft); font-size: 13px; }
.tile dd { margin: 0; }
.tile .figure { font-size: 26px; line-height: 1.25; font-weight: 640; letter-spacing: -0.02em; }
.tile .hint { color: var(--soft); font-size: 12.5px; line-height: 1.4; margin-top: 4px; }
.figure, td, th { font-variant-numeric: tabular-nums; }
.grid { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 14px; margin-top: 14px; }
figure { display: flex; flex-direction: column; }
figcaption { font-size: 13px; line-height: 1.45; margin: 2px 0 10px; }
svg { display: block; width: 100%; height: auto; margin-bottom: 6px; }
.note { font-size: 13px; margin-top: 8px; }
.scroll { overflow-x: auto; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 3px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th { text-align: left; color: var(--soft); font-weight: 550; font-size: 13px; white-space: nowrap; }
th, td { padding: 7px 14px 7px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
tbody tr:last-child > * { border-bottom: 0; }
tbody th { color: var(--ink); font-size: 14px; }
th:last-child, td:last-child { padding-right: 0; }
.n { text-align: right; white-space: nowrap; }
.cell { overflow-wrap: anywhere; min-width: 150px; }
tr.strong > * { font-weight: 650; }
details { margin-top: 8px; }
figure details { margin-top: auto; }
summary { cursor: pointer; color: var(--soft); font-size: 13px; width: fit-content; }
summary:hover { color: var(--ink); }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 3px; }
.sample { border-top: 1px solid var(--rule); padding: 10px 0; font-size: 13.5px; overflow-wrap: anywhere; }
.sample:first-of-type { margin-top: 8px; }
.sample code { display: block; color: var(--soft); white-space: pre-wrap; }
.verdict.small { padding: 8px 12px; margin: 8px 0 12px; border-radius: 9px; font-size: 13.5px; }
.verdict.small strong { font-size: 14px; }
section > .grid + .card, section > .card + .card { margin-top: 14px; }
.facts { margin: 14px 0 0; font-size: 13px; display: grid; gap: 5px; }
.facts div { display: grid; grid-template-columns: 108px minmax(0, 1fr); gap: 10px; }
.facts dt, .facts dd { color: var(--soft); margin: 0; }
.facts b { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; margin-right: 4px; }
.example { display: grid; grid-template-columns: 218px minmax(0, 1fr); gap: 24px; padding: 14px 0; align-items: start;
  border-top: 1px solid var(--rule); }
h3 + .example { border-top: 0; }
.example .label { display: block; color: var(--soft); font-size: 12px; line-height: 20px; margin-bottom: 7px; }
.asked { display: grid; grid-template-columns: repeat(2, minmax(0, 100px)); gap: 14px; }
.text .asked { grid-template-columns: minmax(0, 1fr); gap: 8px; }
.text .label { margin: 0; }
.chip { display: inline-block; border-radius: 99px; padding: 0 9px; font-size: 12px; line-height: 20px; font-weight: 600;
  margin-bottom: 7px; white-space: nowrap; }
.chip.good { background: var(--good-soft); color: var(--good); }
.chip.bad { background: var(--bad-soft); color: var(--bad); }
.found { list-style: none; margin: 0; padding: 0; }
.image .found { display: grid; grid-template-columns: repeat(5, minmax(0, 100px)); gap: 14px; }
.example img, .blank { display: block; width: 100%; max-width: 100px; aspect-ratio: 1; object-fit: contain; border-radius: 7px;
  background: var(--page); border: 1px solid var(--rule); }
.blank { color: var(--soft); font-size: 12px; text-align: center; padding-top: 30%; }
.found li { border-radius: 9px; }
.cosine { display: block; font-size: 12px; color: var(--soft); font-variant-numeric: tabular-nums; margin-top: 3px; }
.image .cosine { text-align: center; }
.found .right img, .found .right .blank { outline: 3px solid var(--good); outline-offset: 1px; border-color: transparent; }
.found .wrong img, .found .wrong .blank { outline: 3px solid var(--bad); outline-offset: 1px; border-color: transparent; }
.right .cosine { color: var(--good); font-weight: 650; } .wrong .cosine { color: var(--bad); font-weight: 650; }
.text .found { font-size: 13.5px; }
.text .found li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 12px; padding: 3px 8px; border-radius: 6px; }
.text .found .right { background: var(--good-soft); } .text .found .wrong { background: var(--bad-soft); }
.text .cosine { margin: 0; }
.words { overflow-wrap: anywhere; }
.chip.plain { background: var(--rule); }
.chips { display: flex; flex-wrap: wrap; gap: 0 6px; margin: 10px 0 4px; }
h3 + .inspected { padding-bottom: 0; }
.ad { display: grid; grid-template-columns: 100px minmax(0, 1fr); gap: 12px; font-size: 13.5px; line-height: 1.4; overflow-wrap: anywhere; }
.predicted { max-width: 218px; margin: 6px 0 0; }
.inspected svg text { font-size: 11px; }
svg .room { fill: var(--page); }
.behaved { display: grid; grid-template-columns: repeat(auto-fill, minmax(64px, 1fr)); gap: 10px; }
.behaved li { max-width: 100px; font-size: 11px; line-height: 1.35; }
.behaved .cosine { display: flex; justify-content: space-between; font-size: 11.5px; line-height: 1.4; }
.behaved .words { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; color: var(--soft); margin-top: 2px; }
.behaved .same img, .behaved .same .blank { outline: 2px solid var(--accent); outline-offset: 1px; }
.tiers { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 4px 24px; margin-top: 16px; }
.tiers .label { margin: 0; }
details.inspected .card { margin-top: 14px; }
footer { margin-top: 56px; padding-top: 14px; border-top: 1px solid var(--rule); color: var(--soft); font-size: 13px; }
svg text { font: 11px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; fill: var(--ink); }
svg text { font-variant-numeric: tabular-nums; }
svg .tick, svg .name { fill: var(--soft); }
svg .label { font-weight: 600; }
svg .grid { display: inline; stroke: var(--rule); }
svg .axis { stroke: var(--soft); }
svg polyline { fill: none; stroke-width: 1; }
svg .reference { stroke: var(--soft); stroke-dasharray: 4 4; }
svg .curve { stroke: var(--accent); stroke-width: 2; stroke-linejoin: round; }
svg .second { stroke: var(--new); stroke-width: 2; stroke-linejoin: round; }
svg .third { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 2 3; }
svg .refused { fill: var(--card); stroke: var(--bad); stroke-width: 2.5; }
svg .faint { stroke: var(--faint); }
svg .area { fill: var(--accent-soft); }
svg .bar { fill: var(--accent); }
svg .bar.new { fill: var(--new); }
svg .bar.cached, svg .bar.beside { fill: var(--faint); }
svg .bar.beside.new { fill: var(--new); fill-opacity: 0.4; }
svg circle.curve { fill: var(--accent); } svg circle.second { fill: var(--new); } svg circle.third { fill: var(--soft); }
.tile .beside { font-size: 12.5px; line-height: 1.4; margin-top: auto; padding-top: 6px; font-variant-numeric: tabular-nums; }
svg .dot { fill: var(--accent); fill-opacity: 0.55; stroke: var(--accent); }
@media (max-width: 860px) {
  .grid { grid-template-columns: minmax(0, 1fr); }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .tile:first-child { grid-column: span 2; }
}
@media (max-width: 560px) {
  main { padding: 24px 14px 48px; }
  h1 { font-size: 25px; }
  h2 { margin-top: 36px; }
  .tile, .card, figure { padding: 13px 14px; }
  svg text { font-size: 14px; }
  table, th, tbody th { font-size: 12px; }
  th { white-space: normal; }
  th, td { padding-right: 7px; }
  .cell { min-width: 130px; }
  .example { grid-template-columns: minmax(0, 1fr); gap: 12px; }
  .image .found { gap: 9px; }
  .tiers { grid-template-columns: minmax(0, 1fr); }
}
@media print {
  body { background: none; }
  figure, .tile, .example { break-inside: avoid; }
}
"""
