/**
 * The report of a run of the peers as one page with charts. It has the colours and letters of the page that shows
 * recordings, loads nothing, and holds no script: its Content-Security-Policy allows its own style and nothing else.
 *
 * Used by  all/run.ts
 * Uses     internal/page (its style sheet, read as a file)
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { MEASURES, type MeasureId } from '../peers_table';
import { number } from '../report';
import { bootstrap, median } from '../statistics';
import { FIGURES, firstLine, type FigureId, type PeersOutcome } from './outcome';
import { HOW_TO_READ, columnsOf, headOf, meaningless, reasons, shown } from './report';

const STYLE = path.resolve(__dirname, '../../internal/page/client/style.css');
/** Rules that a report adds to the style sheet, which is made for an app that fills the window. */
const OWN_STYLE = `html, body { height: auto; } body { display: block; overflow: auto; max-width: 1180px; margin: 0 auto; padding: 24px 20px 60px; }
.first { margin: 12px 0; padding: 10px 14px; border-left: 3px solid var(--good); background: var(--surface); } .first.off { border-color: var(--bad); }
section { margin-top: 28px; padding: 14px 18px; background: var(--surface); border: 1px solid var(--line); border-radius: 12px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin-top: 10px; } th, td { text-align: left; padding: 3px 14px 3px 0; border-bottom: 1px solid var(--line); white-space: nowrap; font-weight: 400; }
thead th { color: var(--muted); font-size: 12.5px; } .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(460px, 1fr)); gap: 10px 28px; }
figure { margin: 12px 0 0; } figcaption { color: var(--muted); font-size: 12.5px; } svg.chart { width: 100%; height: auto; } svg.chart text { fill: var(--ink); font-size: 12px; }
svg.chart .bar { fill: var(--handshake); } svg.chart .bar.ours { fill: var(--good); } svg.chart .bar.base { fill: var(--muted); } svg.chart .whisker { stroke: var(--ink); stroke-width: 1.2; } svg.chart .dash { fill: var(--muted); }
svg.chart .curve { fill: none; stroke-width: 2; }`;

const escaped = (text: string): string => text.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);

/** The whole page. */
export function peersPage(outcome: PeersOutcome): string {
  const style = `${readFileSync(STYLE, 'utf8')}\n${OWN_STYLE}`;
  const policy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'; base-uri 'none'; form-action 'none'`;
  const first = firstLine(outcome);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>Ways to share a port, ${outcome.machine.date.slice(0, 10)}</title><style>${style}</style></head><body>
<h1>Ways to share a port</h1>
<p class="first${first.startsWith('The control is within') ? '' : ' off'}">${escaped(first)}</p>
<p class="small">${escaped(headOf(outcome))} ${escaped([HOW_TO_READ, ...meaningless(outcome)].join(' '))}</p>
${outcome.measures.map((measure) => section(outcome, measure)).join('\n')}
${outcome.notes.map((note) => `<p class="small">${escaped(note)}</p>`).join('\n')}
</body></html>
`;
}

function section(outcome: PeersOutcome, measure: MeasureId): string {
  const columns = columnsOf(outcome, measure);
  const why = reasons(outcome, measure);
  const head = ['peer', ...columns.map((figure) => FIGURES[figure].title)].map((text) => `<th scope="col">${escaped(text)}</th>`).join('');
  const rows = outcome.peers.map(({ id, title }) => `<tr><th scope="row">${escaped(title)}</th>${columns.map((figure) => {
    const { text, reason } = shown(outcome, figure, id);
    return `<td${reason === null ? '' : ` title="${escaped(reason)}" class="small"`}>${escaped(text)}</td>`;
  }).join('')}</tr>`);
  return `<section><h2>${escaped(MEASURES[measure])}</h2>
<div class="charts">${columns.slice(0, 4).map((figure) => bars(outcome, figure)).join('\n')}${measure === 'handoff' ? curves(outcome) : ''}</div>
<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>
${why.length === 0 ? '' : `<p class="small">A dash: ${escaped(why.join('; '))}.</p>`}</section>`;
}

const ROW = 22;
const LEFT = 190;
const WIDTH = 520;
const RIGHT = 84;

/** A bar for each peer: its median, with the interval of that as a line over it. A dash where a peer has none. */
export function bars(outcome: PeersOutcome, figure: FigureId): string {
  const all = outcome.peers.map(({ id, title }) => {
    const cell = outcome.cells[figure]?.[id];
    const samples = cell !== undefined && 'samples' in cell ? cell.samples : null;
    return { id, title, value: samples === null ? null : median(samples), ends: samples === null ? null : bootstrap(samples) };
  });
  const most = Math.max(1e-9, ...all.map(({ value, ends }) => Math.max(value ?? 0, ends?.[1] ?? 0)).filter(Number.isFinite));
  const x = (value: number): string => (LEFT + ((WIDTH - LEFT - RIGHT) * Math.min(value, most)) / most).toFixed(1);
  const { title, unit } = FIGURES[figure];
  const rows = all.map(({ id, title: name, value, ends }, at) => {
    const y = at * ROW;
    const label = `<text x="0" y="${y + 15}">${escaped(name)}</text>`;
    if (value === null || ends === null) return `${label}<text class="dash" x="${LEFT}" y="${y + 15}">–</text>`;
    const kind = id.includes('ours') ? ' ours' : id === 'stock-rr' || id === 'control' ? ' base' : '';
    return `${label}<rect class="bar${kind}" x="${LEFT}" y="${y + 4}" width="${(Number(x(value)) - LEFT).toFixed(1)}" height="${ROW - 8}" rx="2"/>`
      + `<line class="whisker" x1="${x(ends[0])}" x2="${x(ends[1])}" y1="${y + ROW / 2}" y2="${y + ROW / 2}"/>`
      + `<text x="${WIDTH - RIGHT + 8}" y="${y + 15}">${escaped(number(value))}${unit === '' ? '' : ` ${escaped(unit)}`}</text>`;
  });
  return `<figure><figcaption>${escaped(title)}</figcaption><svg class="chart" viewBox="0 0 ${WIDTH} ${all.length * ROW + 2}" role="img" aria-label="${escaped(title)}">${rows.join('')}</svg></figure>`;
}

/** The share of hand-offs that took at most so long: one curve for each peer, from 0.1 ms to 10 s, each step ten times the last. */
function curves({ distributions, peers }: PeersOutcome): string {
  const names = Object.keys(distributions);
  if (names.length === 0) return '';
  const height = 180;
  const x = (milliseconds: number): number => 30 + ((WIDTH - 40) * Math.min(5, Math.max(0, Math.log10(milliseconds) + 1))) / 5;
  const y = (share: number): number => 10 + (height - 40) * (1 - share);
  const lines = names.map((id, at) => {
    const points = (distributions[id] ?? []).filter(({ upTo }) => Number.isFinite(upTo)).map(({ upTo, share }) => `${x(upTo).toFixed(1)},${y(share).toFixed(1)}`);
    const title = peers.find((peer) => peer.id === id)?.title ?? id;
    return `<polyline class="curve" stroke="var(--thread-${at % 8})" points="${points.join(' ')}"/><text x="${WIDTH - 220}" y="${height - 60 + at * 16 - names.length * 16 + 20}" fill="var(--thread-${at % 8})">${escaped(title)}</text>`;
  });
  const ticks = [0.1, 1, 10, 100, 1000, 10_000].map((tick) => `<text class="dash" x="${x(tick) - 10}" y="${height - 8}">${tick < 1000 ? `${tick} ms` : `${tick / 1000} s`}</text>`);
  return `<figure><figcaption>share of connections that took at most so long</figcaption><svg class="chart" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="distribution of hand-off latency">${lines.join('')}${ticks.join('')}<text class="dash" x="0" y="14">1</text><text class="dash" x="0" y="${height - 28}">0</text></svg></figure>`;
}
