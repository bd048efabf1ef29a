/**
 * Which invariant of the protocol an event stands for, and whether it holds in this recording. The texts are in
 * texts/*.json (`keeps.…`); what a recording cannot show is not claimed.
 */
import { make, say } from './words.js';

/** Each rule: its key, which events it is about, and a check; the check gives null where the recording cannot tell. */
const RULES = [
  ['owner', (event) => event.kind === 'connection' || event.act === 'newconn', (event, connection) => (connection ? hasOneOwner(connection) : null)],
  ['copy', (event) => event.event === 'handed off' || event.event === 'reclaimed' || event.act === 'newconn', (event, connection) => (connection ? keepsCopy(connection) : null)],
  ['acknowledge', (event) => event.act === 'accepted' || event.event === 'acknowledged' || event.event === 'delivered', (_event, connection) => (connection ? acknowledgesFirst(connection) : null)],
  ['order', (event) => event.kind === 'message', (event) => arrivesInOrder(event)],
  ['reply', (event) => event.act === 'queryServer' || event.act === 'reply' || event.act === 'exitedAfterDisconnect', () => null],
  ['states', (event) => event.kind === 'state' && event.of === 'worker', (event) => followsBefore(event)],
  ['stockLoses', (_event, connection) => (connection?.hangsFrom ?? null) !== null, () => false],
];

export function invariantOf(event, connection) {
  const rows = RULES.filter(([, fits]) => fits(event, connection)).map(([key, , check]) => [key, check(event, connection)]);
  if (rows.length === 0) return null;
  return make('section', {}, make('h3', {}, say('panel.keeps')), make('ul', { class: 'keeps' }, rows.map(([key, holds]) => make('li', { class: holds === false ? 'broken' : holds === true ? 'holds' : '' },
    make('span', { class: 'mark', 'aria-label': say(holds === null ? 'keeps.unknown' : holds ? 'keeps.holds' : 'keeps.broken') }, holds === null ? '·' : holds ? '✓' : '✗'), say(`keeps.${key}`)))));
}

/** Never handed off twice without coming back in between. */
function hasOneOwner({ steps, hangsFrom }) {
  let isAway = false;
  for (const { event } of steps) {
    if (event === 'handed off') {
      if (isAway) return false;
      isAway = true;
    } else if (event === 'reclaimed' || event === 'rejected' || event === 'unsent' || event === 'returned') isAway = false;
  }
  return hangsFrom === null;
}

/** The primary closes its copy only when the worker has acknowledged, or the connection is over. */
function keepsCopy({ steps }) {
  const handed = steps.findIndex(({ event }) => event === 'handed off');
  if (handed === -1) return null;
  const after = steps.slice(handed + 1).map(({ event }) => event);
  const ended = after.findIndex((event) => event === 'acknowledged' || event === 'reclaimed' || event === 'rejected' || event === 'unsent');
  const closed = after.indexOf('closed');
  return ended === -1 ? null : closed === -1 || ended < closed || after.includes('delivered');
}

/** The app gets a connection once at most for each time that it was handed to its worker. */
function acknowledgesFirst({ steps }) {
  const delivered = steps.filter(({ event }) => event === 'delivered');
  if (delivered.length === 0) return null;
  return delivered.every(({ name }) => delivered.filter((one) => one.name === name).length <= steps.filter(({ event, to }) => event === 'handed off' && to === name).length);
}

/** No message arrives before it was sent, nor before one that its sender sent earlier. */
function arrivesInOrder(event) {
  const arrow = event.track.arrowOf.get(event.index);
  if (!arrow || arrow.t1 === null || !arrow.sent) return null;
  if (arrow.t1 < arrow.t0) return false;
  return !event.track.arrows.some((other) => other.from === arrow.from && other.to === arrow.to && other.sent && other.t1 !== null
    && other.sent.seq < arrow.sent.seq && other.received.seq > arrow.received.seq && other.received.pid === arrow.received.pid);
}

/** A worker leaves the state in which it was. */
function followsBefore(event) {
  const states = (event.track.processes.get(event.what)?.states ?? []).filter(({ to }) => to !== 'leaving');
  const at = states.findIndex((change) => change.event === event);
  return at < 1 ? null : states[at - 1].to === event.from;
}
