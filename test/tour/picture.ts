/**
 * The picture of README.md, made of a recording: a worker dies with a connection in flight, and the primary takes the
 * connection back. It is drawn by the same modules that place everything on the page (model, scale, layout), as an SVG.
 *
 *   npm run tour -- --picture test/tour/picture.svg
 *
 * Used by  run.ts, tour.test.ts
 */
import path from 'node:path';
import { root } from '../support/program';

interface Process { readonly name: string; readonly role: string; readonly worker: number | null; readonly start: number; readonly end: number | null; readonly states: readonly { readonly t: number; readonly to: string }[] }
interface Span { readonly lane: string; readonly t0: number; readonly t1: number | null; readonly kind: string; readonly slot: number }
interface Hop { readonly from: string; readonly to: string; readonly t0: number; readonly t1: number; readonly broken: boolean }
interface Connection { readonly id: string; readonly colour: number; readonly open: number; readonly closed: number | null; readonly spans: readonly Span[]; readonly hops: readonly Hop[]; readonly clientSpan: Span }
interface Row { readonly kind: string; readonly process: Process | null; readonly y: number; readonly h: number; readonly base: number; readonly top: number; readonly pitch: number }
interface Arrow { readonly act: string; readonly from: string; readonly to: string; readonly t0: number; readonly t1: number | null }
interface Track { readonly end: number; readonly events: readonly { readonly t: number }[]; readonly arrows: readonly Arrow[]; readonly connections: ReadonlyMap<string, Connection>; readonly processes: ReadonlyMap<string, Process> }

const COLOURS = ['#3b7dd8', '#e07a3f', '#2f9e6e', '#b05cc6'];
const STATES: Readonly<Record<string, string>> = { none: '#d9d5cc', online: '#8fb2ea', listening: '#57b483', disconnected: '#e2ac4a', dead: '#c8403a' };
const INK = { handoff: '#9a5b13', bad: '#c8403a', line: '#e6e2da', muted: '#6d7480', text: '#23262d' };
const [WIDTH, LEFT] = [860, 96];

/** The messages about connections, in the order in which they were sent; `lost`: nobody received it. The test compares them. */
export async function handOffs(recording: object): Promise<readonly string[]> {
  const { track } = await placed(recording);
  return track.arrows.filter(isHandOff).map(({ act, from, to, t1 }) => `${from} → ${to} ${act}${t1 === null ? ', lost' : ''}`);
}

const isHandOff = ({ act }: Arrow): boolean => act === 'newconn' || act === 'accepted';

async function placed(recording: object): Promise<{ track: Track; rows: readonly Row[]; laneOf: ReadonlyMap<string, Row>; unit(t: number): number; height: number }> {
  const [model, scales, layouts] = await Promise.all(['model', 'scale', 'layout'].map((name) => import(path.join(root, `internal/page/client/${name}.js`)))) as [any, any, any];
  const track = model.buildTrack({ ...recording, label: '' }, 0) as Track;
  const scale = scales.makeScale((track.events as { t: number }[]).filter((event) => model.isStep(event)).map(({ t }) => t), track.end, 'steps');
  const { rows, laneOf, height } = layouts.layOut([track], scale);
  return { track, rows, laneOf, height, unit: (t) => scales.unitOf(scale, t) };
}

/** The picture, from the first connection to the last answer. */
export async function pictureOf(recording: object): Promise<string> {
  const { track, rows, laneOf, unit, height } = await placed(recording);
  const connections = [...track.connections.values()];
  const [from, to] = [Math.min(...connections.map(({ open }) => unit(open))) - 2.5, Math.max(...connections.map(({ closed }) => unit(closed ?? track.end))) + 3];
  const x = (t: number): number => Math.min(WIDTH, Math.max(LEFT, LEFT + ((unit(t) - from) / (to - from)) * (WIDTH - LEFT - 12)));
  const lane = (name: string): Row => laneOf.get(`0.${name}`) as Row;
  const slot = (row: Row, span: Span): number => row.y + row.top + (span.slot + 0.5) * row.pitch;
  const parts: string[] = [];
  const line = (x0: number, y0: number, x1: number, y1: number, style: string): void => void parts.push(`<line x1="${n(x0)}" y1="${n(y0)}" x2="${n(x1)}" y2="${n(y1)}" ${style}/>`);
  const label = (px: number, y: number, text: string, style: string): void => void parts.push(`<text x="${n(px)}" y="${n(y)}" ${style}>${text}</text>`);
  const cross = (px: number, y: number): void => void parts.push(`<path d="M${n(px - 4)} ${n(y - 4)}l8 8m0-8l-8 8" stroke="${INK.bad}" stroke-width="2"/>`);
  for (const row of rows) {
    line(0, row.y + row.h, WIDTH, row.y + row.h, `stroke="${INK.line}"`);
    label(14, row.y + 20, row.kind === 'clients' ? 'Clients' : row.kind === 'primary' ? 'Primary' : `Worker ${row.process?.worker}`, `font-weight="600" fill="${INK.text}"`);
    if (row.process !== null) drawStates(row, row.process);
  }
  for (const { colour, clientSpan, open, closed, spans, hops } of connections) {
    const stroke = `stroke="${COLOURS[colour % COLOURS.length]}" stroke-width="3" fill="none" stroke-linecap="round"`;
    const y = slot(lane(''), clientSpan);
    line(x(open) - 12, y, x(closed ?? track.end), y, stroke);
    const [first] = spans;
    if (first !== undefined) curve(x(open) - 12, y, x(open), slot(lane(first.lane), first), stroke);
    for (const span of spans) line(x(span.t0), slot(lane(span.lane), span), x(span.t1 ?? track.end), slot(lane(span.lane), span), `${stroke}${span.kind === 'copy' ? ' stroke-dasharray="2 6"' : ''}`);
    for (const hop of hops) {
      const [out, into] = [spans.find((span) => span.lane === hop.from && span.t0 === hop.t0), spans.find((span) => span.lane === hop.to && span.t0 === hop.t1)];
      const target = into === undefined ? lane(hop.to).y + lane(hop.to).top + 4 : slot(lane(hop.to), into);
      curve(x(hop.t0), out === undefined ? lane(hop.from).base : slot(lane(hop.from), out), x(hop.t1), target, `${stroke}${hop.broken ? ' stroke-dasharray="3 5"' : ''}`);
      if (!hop.broken) continue;
      cross(x(hop.t1), target);
      label(x(hop.t1) + 9, target + 4, 'killed', `fill="${INK.bad}" font-weight="600"`);
    }
  }
  for (const { act, from: sender, to: receiver, t0, t1 } of track.arrows.filter((arrow) => isHandOff(arrow))) {
    const [y0, y1] = [lane(sender).base, lane(receiver).base];
    const end = t1 === null ? { x: x(t0) + 14, y: y0 + (y1 - y0) * 0.55 } : { x: x(t1), y: y1 };
    line(x(t0), y0, end.x, end.y, `stroke="${INK.handoff}" stroke-width="1.4"${t1 === null ? ' stroke-dasharray="4 3"' : ' marker-end="url(#head)"'}`);
    if (t1 === null) cross(end.x, end.y);
    label((x(t0) + end.x) / 2 + 5, (y0 + end.y) / 2 + 4, act, `fill="${INK.handoff}" stroke="#faf9f6" stroke-width="4" paint-order="stroke"`);
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${n(height)}" width="${WIDTH}" height="${n(height)}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="A worker is killed with a connection in flight; the primary takes the connection back and hands it to another worker">
<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0.6L8 4L0 7.4z" fill="${INK.handoff}"/></marker></defs>
<rect width="${WIDTH}" height="${n(height)}" rx="12" fill="#faf9f6"/>
<text x="14" y="24" fill="${INK.muted}">test/examples/killed_in_flight.ts, recorded · time runs to the right, waits are drawn short</text>
${parts.join('\n')}
</svg>
`;

  function drawStates(row: Row, { start, end, states }: Process): void {
    const edges = [{ t: start, to: row.kind === 'primary' ? '' : 'none' }, ...(row.kind === 'primary' ? [] : states), { t: end ?? track.end, to: '' }];
    for (const [at, edge] of edges.slice(0, -1).entries()) {
      const [left, right] = [x(edge.t), x(edges[at + 1]?.t ?? track.end)];
      if (right > left) parts.push(`<rect x="${n(left)}" y="${n(row.y + 9)}" width="${n(right - left)}" height="5" rx="2.5" fill="${STATES[edge.to] ?? '#b9bcc2'}"/>`);
    }
  }

  function curve(x0: number, y0: number, x1: number, y1: number, style: string): void {
    const bend = Math.max(6, Math.abs(x1 - x0) * 0.6);
    parts.push(`<path d="M${n(x0)} ${n(y0)}C${n(x0 + bend)} ${n(y0)} ${n(x1 - bend)} ${n(y1)} ${n(x1)} ${n(y1)}" ${style}/>`);
  }
}

const n = (value: number): string => value.toFixed(1).replace(/\.0$/, '');
