/** Places worth seeing: the first hand-off that was reclaimed, the first worker that was killed, and so on. */
import { view, select } from './view.js';
import { BLOCKED } from './model.js';
import { notice, say } from './words.js';

const first = (fits) => view.steps.find(fits) ?? null;

export const TARGETS = [
  { key: 'handoff', find: () => first((event) => event.act === 'newconn') },
  { key: 'reclaimed', find: () => first((event) => event.event === 'reclaimed') },
  { key: 'killed', find: () => first((event) => event.kind === 'process' && event.event === 'exit' && (typeof event.signal === 'string' || (event.code ?? 0) !== 0)) },
  { key: 'blocked', find: () => first((event) => event.kind === 'loop' && event.delay >= BLOCKED) },
  { key: 'hangs', find: () => hanging() },
  { key: 'queued', find: () => first((event) => event.kind === 'connection' && event.queue > 1) },
  { key: 'kernel', find: () => first((event) => event.kind === 'kernel' && event.waiting > 0) },
  { key: 'lost', find: () => first((event) => event.kind === 'message' && event.way === 'sent' && isLost(event)) },
];

/** Selects such a place; if there is none, the page says so. */
export function goTo(key) {
  const target = TARGETS.find((each) => each.key === key);
  if (target === undefined) return;
  const event = target.find();
  if (event !== null) return select(event.step);
  notice(say('goto.none', { what: say(`goto.${key}`) }));
}

function hanging() {
  for (const track of view.tracks) {
    for (const connection of track.connections.values()) if (connection.hangsFrom !== null) return connection.steps.findLast(({ event }) => event === 'handed off') ?? connection.steps.at(-1) ?? null;
  }
  return null;
}

/** Sent to a process that is recorded, and never received. */
function isLost(event) {
  const arrow = event.track.arrowOf.get(event.index);
  return arrow?.received === null && event.track.processes.get(arrow.to)?.recorded === true;
}
