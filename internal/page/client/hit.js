/** What is at a point of the picture: the event of an arrow, a thread, a state, a blocked event loop. Null: nothing. */
import { view } from './view.js';
import { timeOf, unitOf } from './scale.js';
import { slotY } from './layout.js';
import { placeOfArrow } from './draw_traffic.js';
import { isStep } from './model.js';

/** `x`, `y`: in pixels of the sheet. Gives the number of a step, or -1. */
export function hit(x, y) {
  const perUnit = view.width / (view.to - view.from);
  const pen = { x: (t) => (unitOf(view.scale, t) - view.from) * perUnit, width: view.width, perUnit };
  const t = timeOf(view.scale, view.from + x / perUnit);
  return (arrowAt(pen, x, y) ?? laneAt(pen, x, y, t))?.step ?? -1;
}

function arrowAt(pen, x, y) {
  let best = null;
  let nearest = 7;
  for (const track of view.tracks) {
    for (const arrow of track.arrows) {
      const place = placeOfArrow(pen, track, arrow);
      if (place === null) continue;
      const { distance, part } = distanceTo(place, x, y);
      if (distance >= nearest) continue;
      nearest = distance;
      best = part < 0.5 ? arrow.sent ?? arrow.received : arrow.received ?? arrow.sent;
    }
  }
  return best;
}

function distanceTo({ x0, y0, x1, y1 }, x, y) {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const part = Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1)));
  return { part, distance: Math.hypot(x - x0 - part * dx, y - y0 - part * dy) };
}

function laneAt(pen, x, y, t) {
  const row = view.layout.rows.find((each) => y >= each.y && y < each.y + each.h);
  if (!row || row.kind === 'title') return null;
  for (const span of row.spans) {
    if (Math.abs(slotY(row, span) - y) > row.pitch / 2 + 1) continue;
    if (x < pen.x(span.t0) - 6 || x > pen.x(span.t1 ?? row.track.end) + 6) continue;
    const { steps } = span.connection;
    return steps.findLast((step) => pen.x(step.t) <= x + 6) ?? steps[0];
  }
  const { process } = row;
  if (row.kind === 'kernel') return [...row.track.kernel.values()].map((samples) => samples.findLast((sample) => sample.t <= t)?.event).find((event) => event) ?? null;
  if (process === null) return null;
  if (y > row.y + row.h - 16) {
    const blocked = process.loops.find((loop) => isStep(loop.event) && x >= pen.x(loop.t - loop.delay) - 3 && x <= pen.x(loop.t) + 3);
    if (blocked) return blocked.event;
  }
  if (y > row.y + 20) return null;
  if (process.end !== null && Math.abs(pen.x(process.end) - x) < 12) {
    const exit = row.track.events.find((event) => event.kind === 'process' && event.event === 'exit' && event.name === process.name);
    if (exit) return exit;
  }
  return process.states.findLast((state) => state.t <= t)?.event ?? null;
}
