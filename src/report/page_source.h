// Private to report.
#pragma once

namespace diskrelease {

/// The style sheet of a report. Pictures take their colours from its classes, so that they follow
/// light, dark and paper.
inline constexpr char k_page_style[] = R"css(
:root {
  color-scheme: light dark;
  --ground: #ffffff; --panel: #f5f7fa; --ink: #1a2330; --quiet: #56616f; --rule: #d5dbe3;
  --link: #0b57a4; --warn: #a3320b; --warn-ground: #fdf0ea;
  --accepted: #2a6fb0; --refused: #c97608; --throttled: #8b5fc7; --unknown: #c8283c;
  --idle: #4b5563; --reads: #8798aa; --gone: #3f9583; --skipped: #a08f4e; --limit: #1a2330;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12171e; --panel: #1b222c; --ink: #e4e9f0; --quiet: #a3afbd; --rule: #333e4c;
    --link: #7db8f5; --warn: #ffab8a; --warn-ground: #36211a;
    --accepted: #5a9fe0; --refused: #e8a04c; --throttled: #b08ee8; --unknown: #f0616f;
    --idle: #c3ccd6; --reads: #708296; --gone: #63b8a5; --skipped: #a5986c; --limit: #e4e9f0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem clamp(1rem, 3vw, 2.5rem) 3rem; max-width: 80rem;
  background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.3rem 0 .4rem; }
p { margin: .4rem 0; max-width: 65rem; }
a { color: var(--link); }
.lead { font-size: 1.1rem; }
.quiet, figcaption { color: var(--quiet); }
.badge { display: inline-block; border: 1px solid currentColor; border-radius: .3rem; padding: 0 .4rem; font-size: .85rem; color: var(--quiet); }
.warning { border-left: 4px solid var(--warn); background: var(--warn-ground); padding: .5rem .8rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .8rem 0 0; padding: 0; }
code, .mono { font: .87em/1.45 ui-monospace, SFMono-Regular, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
pre { background: var(--panel); border: 1px solid var(--rule); border-radius: .3rem; padding: .6rem .8rem; margin: .5rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: .8rem 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; unicode-bidi: isolate; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 0 2.5rem; align-items: start; }
.scroll { overflow-x: auto; }
.scroll table { min-width: 46rem; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; font-size: .93em; }
caption { text-align: left; color: var(--quiet); padding-bottom: .2rem; }
th, td { text-align: left; vertical-align: top; padding: .28rem .7rem .28rem 0; border-bottom: 1px solid var(--rule); overflow-wrap: break-word; }
td { unicode-bidi: isolate; }
thead th { border-bottom: 2px solid var(--rule); overflow-wrap: normal; white-space: nowrap; }
tbody th { font-weight: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; padding-right: 1.2rem; }
.whole { white-space: nowrap; overflow-wrap: normal; }
tfoot th, tfoot td { border-bottom: 0; font-weight: 600; }
.small { display: block; font-size: .88em; color: var(--quiet); }
.message { min-width: 14rem; overflow-wrap: anywhere; }
.swatch { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: .15em; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 1.2rem; margin: .3rem 0 .4rem; padding: 0; font-size: .9em; }
figure { margin: .6rem 0 1rem; }
.chart { display: block; width: 100%; height: auto; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.chart text { font-size: 12.5px; fill: var(--quiet); }
.chart .grid { stroke: var(--rule); }
.chart .limit { stroke: var(--limit); stroke-width: 1.5; stroke-dasharray: 6 4; }
.accepted, .released { fill: var(--accepted); background: var(--accepted); }
.refused, .rejected { fill: var(--refused); background: var(--refused); }
.throttled, .failed { fill: var(--throttled); background: var(--throttled); }
.unknown { fill: var(--unknown); background: var(--unknown); }
.idle, .pending { fill: var(--idle); background: var(--idle); }
.reads { fill: var(--reads); background: var(--reads); }
.gone { fill: var(--gone); background: var(--gone); }
.skipped { fill: var(--skipped); background: var(--skipped); }
details { margin: .4rem 0; }
summary { cursor: pointer; color: var(--link); }
.tools { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem 1rem; margin: .8rem 0 .3rem; }
.tools[hidden], tr[hidden] { display: none; }
.tools label { display: flex; align-items: center; gap: .5rem; flex: 0 1 30rem; }
.tools input { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--quiet); border-radius: .3rem; padding: .3rem .5rem; flex: 1; min-width: 0; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-align: inherit; }
th button::after { content: " \2195"; color: var(--quiet); }
th[aria-sort="ascending"] button::after { content: " \2191"; color: var(--ink); }
th[aria-sort="descending"] button::after { content: " \2193"; color: var(--ink); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
footer { margin-top: 3rem; color: var(--quiet); font-size: .9em; }
@media print {
  :root {
    color-scheme: light;
    --ground: #ffffff; --panel: #f5f7fa; --ink: #000000; --quiet: #444444; --rule: #bbbbbb;
    --link: #000000; --warn: #a3320b; --warn-ground: #ffffff;
    --accepted: #2a6fb0; --refused: #c97608; --throttled: #8b5fc7; --unknown: #c8283c;
    --idle: #4b5563; --reads: #8798aa; --gone: #3f9583; --skipped: #a08f4e; --limit: #000000;
  }
  @page { margin: 14mm; }
  body { max-width: none; padding: 0; font-size: 10.5px; }
  nav, .tools, th button::after { display: none; }
  .scroll { overflow: visible; }
  .scroll table { min-width: 0; }
  h2, h3 { break-after: avoid; }
  tr, figure, .warning { break-inside: avoid; }
  th, td { overflow-wrap: anywhere; }
  .message { min-width: 0; }
  #invocations td:nth-child(2) { min-width: 5em; }
}
)css";

/// Search and sort of the one long table; everything is there without it. The search can be linked
/// to: #q=TEXT.
inline constexpr char k_page_script[] = R"js(
'use strict';
(() => {
  const table = document.getElementById('items');
  if (!table) return;
  const body = table.tBodies[0];
  const box = document.getElementById('search');
  const said = document.getElementById('found');
  const rows = Array.from(body.rows, (row) => ({
    row,
    cells: Array.from(row.cells, (cell) => cell.textContent.trim()),
  }));
  for (const one of rows) one.text = one.cells.join(' ').toLowerCase();

  const search = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter((word) => word);
    let found = 0;
    for (const one of rows) {
      const hit = words.every((word) => one.text.includes(word));
      one.row.hidden = !hit;
      if (hit) ++found;
    }
    const all = rows.length + (rows.length === 1 ? ' row' : ' rows');
    said.textContent = words.length ? found + ' of ' + all : all;
  };

  const read_address = (jump) => {
    if (!location.hash.startsWith('#q=')) return;
    try {
      box.value = decodeURIComponent(location.hash.slice(3));
    } catch {
      return;
    }
    search();
    if (jump) document.getElementById('attention').scrollIntoView();
  };

  const order = new Intl.Collator('en', { numeric: true });
  Array.from(table.tHead.rows[0].cells, (head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = head.textContent;
    button.addEventListener('click', () => {
      const falls = head.getAttribute('aria-sort') === 'ascending';
      for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', falls ? 'descending' : 'ascending');
      const sign = falls ? -1 : 1;
      rows.sort((a, b) => sign * order.compare(a.cells[column], b.cells[column]));
      body.append(...rows.map((one) => one.row));
    });
    head.replaceChildren(button);
  });

  for (const link of document.querySelectorAll('a[data-q]')) {
    link.href = '#q=' + encodeURIComponent(link.dataset.q);
  }
  box.addEventListener('input', () => {
    search();
    history.replaceState(null, '', box.value ? '#q=' + encodeURIComponent(box.value) : '#attention');
  });
  window.addEventListener('hashchange', () => read_address(true));
  document.getElementById('tools').hidden = false;
  search();
  read_address(true);
})();
)js";

}  // namespace diskrelease
