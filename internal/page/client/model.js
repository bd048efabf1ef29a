/**
 * Makes a track of a recording: its processes with their states, its messages as arrows, its connections as threads.
 * A recording may be cut off or lie: whatever does not fit is left out of the picture, and stays in the table.
 */
import { connectionsOf } from './connections.js';

const isText = (value) => typeof value === 'string';
export const textOf = (value, other = '') => (isText(value) ? value : other);
export const numberOf = (value, other = 0) => (Number.isFinite(value) ? value : other);

/** A track: `source` is { label, header, events }. `shift`: nanoseconds that are taken from each time. */
export function buildTrack(source, number, shift = 0) {
  const header = source.header && typeof source.header === 'object' ? source.header : {};
  const track = {
    number, header, label: textOf(source.label, header.stock === true ? 'stock' : 'cluster-internals'), stock: header.stock === true,
    shift, events: [], processes: new Map(), arrows: [], arrowOf: new Map(), connections: new Map(), connectionOf: new Map(),
    addresses: new Map(), kernel: new Map(), end: numberOf(header.duration) - shift, frames: new Map(), notes: source.notes ?? [],
  };
  for (const process of Array.isArray(header.processes) ? header.processes : []) {
    if (!process || !isText(process.name)) continue;
    const made = processOf(track, process.name, process.role, process.worker);
    made.pid = process.pid;
    made.start = numberOf(process.started) - shift;
    made.end = Number.isFinite(process.ended) ? process.ended - shift : null;
    made.recorded = process.recorded !== false;
    made.code = process.code;
    made.signal = process.signal;
  }
  addEvents(track, source.events);
  return track;
}

/** Adds events to a track, in a recording once, live again and again. */
export function addEvents(track, events) {
  for (const event of events) {
    if (!event || typeof event !== 'object' || !isText(event.kind) || !Number.isFinite(event.at)) continue;
    const index = track.events.length;
    event.t = event.at - track.shift;
    event.index = index;
    event.track = track;
    if (!isText(event.name)) event.name = '?';
    track.events.push(event);
    track.end = Math.max(track.end, event.t);
    if (event.kind === 'kernel') {
      onKernel(track, event);
      continue;
    }
    const process = processOf(track, event.name, event.role, event.worker);
    process.pid ??= event.pid;
    // In a stock worker the recorder starts after Node itself, which has sent `online` before.
    if (process.start === null || event.t < process.start) process.start = event.t;
    if (event.kind === 'process') onProcess(track, process, event);
    else if (event.kind === 'message') onMessage(track, event);
    else if (event.kind === 'state') onState(track, event);
    else if (event.kind === 'loop') process.loops.push({ t: event.t, busy: Math.min(1, Math.max(0, numberOf(event.busy))), delay: numberOf(event.delay), event });
    else if (event.kind === 'connection' && Number.isFinite(event.queue)) onQueue(track, event);
  }
  connectionsOf(track);
}

function processOf(track, name, role, worker) {
  let process = track.processes.get(name);
  if (!process) {
    process = { name, role: role === 'primary' || role === 'worker' ? role : 'other', worker: worker ?? null, pid: undefined, start: null, end: null, recorded: true, code: null, signal: null, states: [], loops: [] };
    track.processes.set(name, process);
  }
  return process;
}

function onProcess(track, process, event) {
  if (event.event !== 'exit') return;
  process.end = event.t;
  process.code = event.code ?? null;
  process.signal = event.signal ?? null;
}

function onState(track, event) {
  if (event.of !== 'worker' || !isText(event.what) || !isText(event.to)) return;
  if (event.name === event.what && event.to === 'disconnecting') leaves(track, event);
  // The primary's view of a worker is the one that is drawn: it exists before and after the worker itself.
  if (event.name === event.what && !track.stock) return;
  const process = processOf(track, event.what, 'worker', Number(/^W(\d+)$/.exec(event.what)?.[1] ?? 0));
  process.states.push({ t: event.t, from: event.from, to: event.to, event });
}

/** The worker leaves from here on; the primary notes it only when the channel has ended. */
function leaves(track, event) {
  const { states } = processOf(track, event.name, 'worker', event.worker);
  if (states.at(-1)?.to !== 'leaving') states.push({ t: event.t, from: states.at(-1)?.to, to: 'leaving', event });
}

/** How many connections wait at a socket in the kernel, from this sample on. */
function onKernel(track, event) {
  const socket = `${textOf(event.address, '?')} ${numberOf(event.socket)}`;
  let samples = track.kernel.get(socket);
  if (!samples) track.kernel.set(socket, samples = []);
  samples.push({ t: event.t, waiting: Math.max(0, numberOf(event.waiting)), event });
}

/** How many wait at all sockets at a time. */
export const waitingAt = (track, t) => [...track.kernel.values()].reduce((sum, samples) => sum + (samples.findLast((sample) => sample.t <= t)?.waiting ?? 0), 0);

function onQueue(track, event) {
  const address = textOf(event.address, '?');
  let counts = track.addresses.get(address);
  if (!counts) track.addresses.set(address, counts = []);
  counts.push({ t: event.t, queue: numberOf(event.queue), inFlight: numberOf(event.inFlight) });
}

function onMessage(track, event) {
  if (event.role === 'worker' && event.act === (event.way === 'sent' ? 'exitedAfterDisconnect' : 'disconnect') && event.app !== true) leaves(track, event);
  const id = textOf(event.id, `?${event.index}`);
  let arrow = track.frames.get(id);
  const isNew = !arrow || (event.way === 'sent' ? arrow.sent : arrow.received);
  if (isNew) {
    arrow = { id, track, act: textOf(event.act, '?'), from: textOf(event.from, '?'), to: textOf(event.to, '?'), t0: event.t, t1: null, sent: null, received: null };
    track.frames.set(id, arrow);
    track.arrows.push(arrow);
  }
  if (event.way === 'sent') {
    arrow.sent = event;
    arrow.t0 = event.t;
  } else {
    arrow.received = event;
    arrow.t1 = event.t;
    if (!arrow.sent) arrow.t0 = Number.isFinite(event.sentAt) ? event.sentAt - track.shift : event.t;
  }
  track.arrowOf.set(event.index, arrow);
}

/** The state of a worker right before a time, or at it. */
export function stateAt(process, t, before = false) {
  let state = 'none';
  for (const change of process.states) {
    if (before ? change.t >= t : change.t > t) break;
    state = change.to;
  }
  return state;
}

/** What is counted at an address at a time: the primary's queue, and what is in flight. */
export function countsAt(counts, t) {
  let low = 0;
  let high = counts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (counts[middle].t <= t) low = middle + 1; else high = middle;
  }
  return low === 0 ? { queue: 0, inFlight: 0 } : counts[low - 1];
}

/** From this delay on an event loop counts as blocked, in nanoseconds: a client notices 50 ms. */
export const BLOCKED = 5e7;

/** The sample that tells that the event loop of a process was blocked at a time. */
export const blockedAt = (process, t) => process.loops.find((sample) => sample.delay >= BLOCKED && sample.t - sample.delay <= t && sample.t >= t);

/** The events that one walks through: all but the samples of an event loop that was not blocked. */
export const isStep = (event) => event.kind !== 'loop' || event.delay >= BLOCKED;

/** The colour family of a message. */
export function familyOf(act) {
  if (act === 'newconn' || act === 'accepted' || act === 'returnIdle' || act === 'returned') return 'handoff';
  if (act === 'online' || act === 'queryServer' || act === 'listening') return 'handshake';
  if (act === 'reply') return 'reply';
  if (act === 'disconnect' || act === 'close' || act === 'exitedAfterDisconnect') return 'leave';
  if (act.startsWith('NODE_HANDLE')) return 'handle';
  return 'app';
}
