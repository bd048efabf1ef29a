/**
 * Where the lanes are. From the top: the clients, the kernel if connections have waited there, the primary, each worker by its number, other processes;
 * with two tracks once for each. In a lane: the bar of its state, a line for each connection that is there, the line on
 * which messages begin and end, and at the bottom the event loop, or for the primary its queue.
 */
import { unitOf } from './scale.js';

/** The key of the kernel's lane; no process has such a name. */
export const KERNEL = 'the kernel';
const KERNEL_HIGH = 48;
const RANK = { primary: 0, worker: 1, other: 2 };

export function layOut(tracks, scale) {
  const rows = [];
  let y = 34;
  const size = sizeFor(Math.max(tracks.length > 1 ? 7 : 0, tracks.reduce((sum, track) => sum + track.processes.size, 0)));
  for (const track of tracks) {
    if (tracks.length > 1) {
      rows.push({ kind: 'title', track, key: `${track.number}`, name: track.label, y, h: 34 });
      y += 34;
    }
    const spans = new Map();
    const put = (lane, span) => {
      const list = spans.get(lane);
      if (list) list.push(span); else spans.set(lane, [span]);
    };
    for (const connection of track.connections.values()) {
      connection.clientSpan = { lane: '', t0: connection.open, t1: connection.closed, kind: 'client', connection };
      put('', connection.clientSpan);
      for (const span of connection.spans) put(span.lane, span);
    }
    const processes = [...track.processes.values()].map((process, at) => ({ process, at }))
      .sort((a, b) => RANK[a.process.role] - RANK[b.process.role] || (a.process.worker ?? 0) - (b.process.worker ?? 0) || a.at - b.at).map(({ process }) => process);
    const lanes = [...(track.connections.size > 0 ? [null] : []), ...(track.kernel.size > 0 ? [KERNEL] : []), ...processes];
    for (const process of lanes) {
      if (process === KERNEL) {
        rows.push({ kind: 'kernel', track, process: null, key: `${track.number}.${KERNEL}`, name: '', y, h: KERNEL_HIGH, top: 0, base: y + KERNEL_HIGH, spans: [] });
        y += KERNEL_HIGH;
        continue;
      }
      const name = process === null ? '' : process.name;
      const own = spans.get(name) ?? [];
      const used = Math.min(size.most, assignSlots(own, scale, size.most));
      const kind = process === null ? 'clients' : process.role;
      const { pitch } = size;
      const top = process === null ? 14 : size.top;
      const base = top + Math.max(process === null ? 3 : 1, used) * pitch + 6;
      const foot = process === null ? 6 : kind === 'primary' && track.addresses.size > 0 ? size.primaryFoot : size.foot;
      rows.push({ kind, track, process, key: `${track.number}.${name}`, name, y, h: base + foot, top, pitch, base: y + base, spans: own });
      y += base + foot;
    }
    y += tracks.length > 1 ? 14 : 0;
  }
  const laneOf = new Map(rows.filter((row) => row.kind !== 'title').map((row) => [row.key, row]));
  return { rows, laneOf, height: y + 8 };
}

/** In pixels; the more processes, the lower the lanes. `most`: lines for connections in one lane. */
function sizeFor(processes) {
  if (processes <= 6) return { most: 12, pitch: 7, top: 26, foot: 24, primaryFoot: 34 };
  if (processes <= 14) return { most: 8, pitch: 6, top: 24, foot: 15, primaryFoot: 27 };
  return { most: 5, pitch: 5, top: 16, foot: 12, primaryFoot: 26 };
}

/** Gives each span a line of its lane that is free then; gives how many lines that takes. */
function assignSlots(spans, scale, most) {
  const free = [];
  spans.sort((a, b) => a.t0 - b.t0);
  for (const span of spans) {
    const u0 = unitOf(scale, span.t0);
    const u1 = span.t1 === null ? Infinity : unitOf(scale, span.t1);
    let slot = free.findIndex((until) => until <= u0);
    if (slot === -1) slot = free.length < most ? free.length : free.indexOf(Math.min(...free));
    free[slot] = u1 + 0.4;
    span.slot = slot;
  }
  return free.length;
}

export const slotY = (row, span) => row.y + row.top + (span.slot + 0.5) * row.pitch;
