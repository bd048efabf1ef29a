/** The names of the lanes, left of the picture: with the pid, and the state at the cursor. A list for screen readers. */
import { view } from './view.js';
import { KERNEL } from './layout.js';
import { blockedAt, countsAt, stateAt, waitingAt } from './model.js';
import { timeOf } from './scale.js';
import { byId, fill, make, say, time, visible } from './words.js';

/** A picture of fewer pixels has narrow labels, too. */
const NARROW = 500;

/** The state of a worker in one word. */
const shortState = (state) => say(`state.${state}.short`) || visible(state).slice(0, 20);

let drawn = null;
let scene = -1;
let scrolledFor;
let made = [];

export function drawLabels() {
  const { layout } = view;
  const key = `${document.documentElement.lang}`;
  byId('sheet').style.height = `${layout.height}px`;
  byId('stage').style.maxHeight = `${layout.height + 2}px`;
  if (drawn !== layout || made.key !== key) {
    drawn = layout;
    made = layout.rows.map(labelOf);
    made.key = key;
    fill(byId('lanes'), made.map(({ element }) => element));
  }
  document.body.classList.toggle('two-tracks', view.tracks.length > 1);
  showLaneOfSelection();
  const t = timeOf(view.scale, view.cursor);
  for (const { row, line } of made) {
    const text = line === null ? '' : lineOf(row, t);
    if (line !== null && line.textContent !== text) line.textContent = text;
  }
}

/** Scrolls to the lane of the event that was selected, if it is out of sight. */
function showLaneOfSelection() {
  const event = view.steps[view.selected];
  if (scene !== view.scene) byId('stage').scrollTop = 0;
  scene = view.scene;
  if (event === scrolledFor) return;
  scrolledFor = event;
  const row = event && view.layout.laneOf.get(`${event.track.number}.${event.kind === 'kernel' ? KERNEL : event.name}`);
  const stage = byId('stage');
  if (!row || (row.y >= stage.scrollTop + 30 && row.y + row.h <= stage.scrollTop + stage.clientHeight)) return;
  stage.scrollTop = Math.max(0, row.y - (stage.clientHeight - row.h) / 2);
}

function labelOf(row) {
  const line = row.kind === 'title' ? null : make('span', { class: 'line' });
  const name = row.kind === 'clients' ? say('lane.clients') : row.kind === 'kernel' ? say('lane.kernel') : row.kind === 'title' ? row.track.number === 0 ? `① ${row.name}` : `② ${row.name} · ${say('lane.ownClock')}` : row.kind === 'primary' ? say('lane.primary') : row.kind === 'worker' ? say('lane.worker', { number: row.process.worker ?? '' }) : row.name;
  const pid = row.process?.pid === undefined ? null : make('span', { class: 'pid' }, `${visible(row.name).slice(0, 14)} · ${visible(row.process.pid).slice(0, 10)}`);
  const element = make('div', { class: `lane ${row.kind}${row.h < 46 && row.kind !== 'title' ? ' low' : ''}`, role: row.kind === 'title' ? 'heading' : 'listitem', 'aria-level': row.kind === 'title' ? 2 : null, 'data-lane': row.kind === 'title' ? null : row.key }, make('b', {}, visible(name).slice(0, row.kind === 'title' ? 90 : 40)), row.h > 56 ? pid : null, line);
  element.style.top = `${row.y}px`;
  element.style.height = `${row.h}px`;
  return { row, element, line };
}

function lineOf(row, t) {
  if (row.kind === 'clients') return say('lane.open', { count: [...row.track.connections.values()].filter(({ open, closed }) => open <= t && (closed === null || closed > t)).length });
  if (row.kind === 'kernel') return say('lane.waiting', { count: waitingAt(row.track, t) });
  const { process } = row;
  if (process.start !== null && t < process.start) return say('lane.notYet');
  if (process.end !== null && t >= process.end) return process.signal ? visible(process.signal).slice(0, 14) : say('lane.exit', { code: visible(process.code ?? '?').slice(0, 5) });
  if (row.kind === 'primary') {
    const sums = [...row.track.addresses.values()].map((counts) => countsAt(counts, t)).reduce((sum, each) => ({ queue: sum.queue + each.queue, inFlight: sum.inFlight + each.inFlight }), { queue: 0, inFlight: 0 });
    return row.track.addresses.size === 0 ? '' : say('lane.queue', sums);
  }
  const state = row.kind === 'worker' ? shortState(stateAt(process, t)) : '';
  const blocked = blockedAt(process, t);
  // On a phone there is room for one of both, and the bar shows how busy it is.
  if (view.width < NARROW) return blocked ? say('lane.blocked.short') : state;
  if (blocked) return say('lane.blocked', { time: time(blocked.delay, 0) });
  const loop = process.loops.findLast((sample) => sample.t <= t);
  return [state, loop && loop.busy > 0.01 ? `${Math.round(loop.busy * 100)} %` : ''].filter((text) => text !== '').join(' · ');
}
