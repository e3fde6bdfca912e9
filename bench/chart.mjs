// Draws the JSON of a run as bars, for the pages: groups of named bars, the less the better unless the group says otherwise.
//   node bench/run.mjs --json bench.json && node bench/chart.mjs bench.json docs/performance.svg
//   node bench/reliability.mjs --json grid.json && node bench/chart.mjs grid.json docs/reliability.svg
// The colours follow the reader's light or dark setting. Measures nothing; a row that was not measured leaves its group out.
import { readFileSync, writeFileSync } from 'node:fs';
import { median } from './statistics.mjs';

const WIDTH = 720;
const NAME_WIDTH = 190;
const VALUE_WIDTH = 80;
const BAR = 18;
const STEP = 24;
const TITLE = 34;

const STYLE = `
    text { font: 13px system-ui, sans-serif; fill: #1f2328; }
    .title { font-weight: 600; }
    .name, .value { dominant-baseline: central; }
    .name { text-anchor: end; }
    .peer { fill: #afb8c1; }
    .own { fill: #0969da; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .peer { fill: #57606a; }
      .own { fill: #4493f8; }
    }`;

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** One group: a title, and bars on a scale of its own. */
function drawGroup({ title, bars }, top) {
  const most = Math.max(...bars.map(({ value }) => value));
  const room = WIDTH - NAME_WIDTH - VALUE_WIDTH;
  const drawn = bars.map(({ name, value, text }, i) => {
    const y = top + TITLE + i * STEP;
    const width = Math.max(1, (value / most) * room).toFixed(1);
    const kind = name.startsWith('millrace') ? 'own' : 'peer';
    return [
      `  <text class="name" x="${NAME_WIDTH - 8}" y="${y + BAR / 2}">${escape(name)}</text>`,
      `  <rect class="${kind}" x="${NAME_WIDTH}" y="${y}" width="${width}" height="${BAR}" rx="2"/>`,
      `  <text class="value" x="${(NAME_WIDTH + Number(width) + 6).toFixed(1)}" y="${y + BAR / 2}">${escape(text)}</text>`,
    ].join('\n');
  });
  return [`  <text class="title" x="0" y="${top + 20}">${escape(title)}</text>`, ...drawn].join('\n');
}

function draw(label, groups) {
  let top = 0;
  const parts = groups.map((group) => {
    const part = drawGroup(group, top);
    top += TITLE + group.bars.length * STEP + 10;
    return part;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img" aria-label="${escape(label)}">`,
    `  <style>${STYLE}\n  </style>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

const perRequest = {
  title: 'CPU for a small GET, µs',
  show: (value) => ({ value: 1e6 / value, text: `${(1e6 / value).toFixed(1)} µs` }),
};
const perGib = (title) => ({
  title: `CPU to ${title}, seconds per GiB`,
  show: (value) => ({ value, text: `${value.toFixed(2)} s` }),
});

/** The rows that are drawn: what people do most. */
const ROWS = {
  'peers-get-small': perRequest,
  'peers-download': perGib('read a large body'),
  'download-save': perGib('receive a file'),
  'upload-handle': perGib('send a file'),
  'upload-4k': perGib('send pieces of 4 KiB in chunks'),
};

function ofBench({ results }) {
  const groups = [];
  for (const [row, { title, show }] of Object.entries(ROWS)) {
    const figures = results.find((result) => result.row === row)?.figures;
    if (figures === undefined) continue;
    const bars = Object.entries(figures)
      .filter(([, { samples }]) => samples !== undefined)
      .map(([name, { samples }]) => ({ name, ...show(median(samples)) }))
      .toSorted((a, b) => a.value - b.value);
    groups.push({ title, bars });
  }
  return draw('CPU time of millrace and its peers, medians; the shorter bar is the better', groups);
}

/** What only this library was tried at compares nothing. */
function ofGrid({ tries, grid }) {
  const compared = grid.filter(({ counts }) =>
    Object.keys(counts).some((name) => !name.startsWith('millrace')),
  );
  const groups = compared.map(({ name, counts }) => ({
    title: `${name}: whole answers of ${tries}`,
    bars: Object.entries(counts).map(([client, count]) => ({
      name: client,
      value: count,
      text: String(count),
    })),
  }));
  return draw('Early answers received whole, by client; the longer bar is the better', groups);
}

const [from, to] = process.argv.slice(2);
const data = JSON.parse(readFileSync(from, 'utf8'));
writeFileSync(to, data.results === undefined ? ofGrid(data) : ofBench(data));
