/**
 * Draws a lane: the bar of the process's state from its start to its end, its event loop (how busy, and where it was
 * blocked), for the primary how many connections wait in its queue and are in flight, and for the kernel how many wait
 * there, accepted by nobody yet.
 */
import { view } from './view.js';
import { BLOCKED } from './model.js';
import { say, visible } from './words.js';

export function drawTitle(pen, row) {
  const { context, width, colours } = pen;
  context.fillStyle = colours.line;
  context.fillRect(0, row.y + row.h - 1, width, 1);
}

export function drawLane(pen, row) {
  const { context, width, colours } = pen;
  context.fillStyle = colours.line;
  context.fillRect(0, row.y + row.h - 1, width, 1);
  if (row.kind === 'kernel') drawKernel(pen, row);
  const { process } = row;
  if (process === null) return;
  const from = Math.max(pen.x(process.start ?? 0), -4);
  const to = Math.min(pen.x(process.end ?? row.track.end), width + 4);
  if (row.kind === 'primary') {
    context.fillStyle = colours.stripe;
    context.fillRect(0, row.y, width, row.h - 1);
  }
  if (process.end !== null) drawDead(pen, row, pen.x(process.end));
  if (to <= from) return;
  // The line on which messages begin and end.
  context.fillStyle = colours.line;
  context.fillRect(from, row.base, to - from, 1);
  drawStates(pen, row, from, to);
  drawLoop(pen, row);
  if (row.kind === 'primary') drawQueue(pen, row);
}

function drawStates(pen, row, from, to) {
  const { context, colours } = pen;
  const { process, track } = row;
  const changes = row.kind === 'worker' ? process.states : [];
  const edges = [{ t: process.start ?? 0, to: row.kind === 'worker' ? 'none' : 'primary' }, ...changes, { t: process.end ?? track.end, to: 'end' }];
  for (let at = 0; at < edges.length - 1; at++) {
    const left = Math.max(pen.x(edges[at].t), from);
    const right = Math.min(pen.x(edges[at + 1].t), to);
    const state = edges[at].to;
    if (right <= left) continue;
    context.fillStyle = state === 'primary' ? colours.muted : colours.state[state] ?? colours.state.none;
    context.globalAlpha = state === 'primary' ? 0.45 : 1;
    roundedBar(context, left, row.y + 9, Math.max(1, right - left - 1), 5);
    context.globalAlpha = 1;
    if (row.kind !== 'worker' || right - left < 58) continue;
    context.fillStyle = colours.muted;
    context.font = '10px system-ui, sans-serif';
    context.textBaseline = 'top';
    if (row.top < 24) continue;
    const text = say(`state.${state}.short`) || visible(state).slice(0, 20);
    const x = Math.max(left, 2) + 3;
    context.fillText(text, x, row.y + 16, right - left - 6);
    pen.texts.push([x, row.y + 16, x + context.measureText(text).width, row.y + 26]);
  }
}

function roundedBar(context, x, y, width, height) {
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(height / 2, width / 2));
  context.fill();
}

/** The end of a process: a cross, if it did not end by itself. */
function drawDead(pen, row, x) {
  const { context, colours } = pen;
  const isKilled = typeof row.process.signal === 'string' || (row.process.code ?? 0) !== 0;
  if (x < pen.width) {
    context.fillStyle = colours.stripe;
    context.globalAlpha = 0.7;
    context.fillRect(Math.max(0, x), row.y, pen.width, row.h - 1);
    context.globalAlpha = 1;
  }
  if (x < -8 || x > pen.width + 8) return;
  context.strokeStyle = isKilled ? colours.bad : colours.muted;
  context.lineWidth = 2;
  const y = row.y + 11.5;
  context.beginPath();
  if (isKilled) {
    context.moveTo(x - 4, y - 4);
    context.lineTo(x + 4, y + 4);
    context.moveTo(x + 4, y - 4);
    context.lineTo(x - 4, y + 4);
  } else {
    context.moveTo(x, y - 5);
    context.lineTo(x, y + 5);
  }
  context.stroke();
  const text = isKilled ? visible(row.process.signal ?? `exit ${row.process.code}`).slice(0, 20) : 'exit 0';
  context.fillStyle = isKilled ? colours.bad : colours.muted;
  context.font = colours.font;
  context.textBaseline = 'middle';
  // At the right edge there is room below the bar.
  const isCut = x + 9 + context.measureText(text).width > pen.width;
  context.textAlign = isCut ? 'right' : 'left';
  const [at, middle] = isCut ? [Math.min(x + 6, pen.width - 2), y + 12] : [x + 9, y];
  context.fillText(text, at, middle);
  const { width } = context.measureText(text);
  pen.texts.push([isCut ? at - width : at, middle - 5, isCut ? at : at + width, middle + 5]);
  context.textAlign = 'left';
}

/** Each sample covers the time since the one before: its height is how busy the loop was; a block is marked. */
function drawLoop(pen, row) {
  const { context, colours } = pen;
  const { loops, start } = row.process;
  const bottom = row.y + row.h - 5;
  const high = row.top >= 24 ? 9 : 5;
  let before = start ?? 0;
  for (const { t, busy, delay } of loops) {
    const from = Math.max(before, t - 1.2e9);
    before = t;
    if (t < pen.t0 || from > pen.t1) continue;
    const left = pen.x(from);
    const width = Math.max(1, pen.x(t) - left);
    if (busy > 0.02) {
      context.fillStyle = colours.muted;
      context.globalAlpha = 0.35;
      context.fillRect(left, bottom - busy * high, width, busy * high);
      context.globalAlpha = 1;
    }
    if (delay < BLOCKED) continue;
    const begin = pen.x(t - delay);
    context.fillStyle = colours.bad;
    context.globalAlpha = 0.75;
    roundedBar(context, begin, bottom - high, Math.max(2, pen.x(t) - begin), high);
    context.globalAlpha = 1;
  }
}

/** One area for each socket that listens, all to the same scale. */
function drawKernel(pen, row) {
  const { context, colours, width } = pen;
  const bottom = row.y + row.h - 8;
  const high = row.h - 18;
  const all = [...row.track.kernel.values()];
  const most = all.reduce((highest, samples) => samples.reduce((higher, { waiting }) => Math.max(higher, waiting), highest), 1);
  const end = pen.x(row.track.end);
  context.fillStyle = colours.line;
  context.fillRect(0, bottom, width, 1);
  for (const samples of all) {
    context.beginPath();
    let y = bottom;
    context.moveTo(0, y);
    for (const { t, waiting } of samples) {
      context.lineTo(pen.x(t), y);
      y = bottom - (waiting / most) * high;
      context.lineTo(pen.x(t), y);
    }
    context.lineTo(end, y);
    context.strokeStyle = colours.accent;
    context.lineWidth = 1;
    context.stroke();
    context.lineTo(end, bottom);
    context.fillStyle = colours.accent;
    context.globalAlpha = 0.3;
    context.fill();
    context.globalAlpha = 1;
    drawCounts(pen, samples, most, bottom, high);
  }
}

/** The number of each sample, where there is room for it. */
function drawCounts({ context, colours, x }, samples, most, bottom, high) {
  context.font = colours.font;
  context.fillStyle = colours.ink;
  context.textBaseline = 'middle';
  samples.forEach(({ t, waiting }, at) => {
    const left = x(t);
    const room = (at + 1 < samples.length ? x(samples[at + 1].t) : Infinity) - left;
    if (waiting > 0 && room > context.measureText(String(waiting)).width + 8) context.fillText(String(waiting), left + 4, Math.min(bottom - 7, bottom - (waiting / most) * high + 8));
  });
}

function drawQueue(pen, row) {
  const { context, colours } = pen;
  const bottom = row.y + row.h - 17;
  const high = 12;
  for (const counts of row.track.addresses.values()) {
    const most = counts.reduce((highest, { queue, inFlight }) => Math.max(highest, queue, inFlight), 1);
    const path = (key) => {
      context.beginPath();
      let y = bottom;
      context.moveTo(pen.x(row.process.start ?? 0), y);
      for (const count of counts) {
        const x = pen.x(count.t);
        if (x > pen.width + 20) break;
        context.lineTo(x, y);
        y = bottom - (count[key] / most) * high;
        context.lineTo(x, y);
      }
      context.lineTo(pen.x(row.process.end ?? row.track.end), y);
    };
    path('queue');
    context.lineTo(pen.x(row.process.end ?? row.track.end), bottom);
    context.fillStyle = colours.accent;
    context.globalAlpha = 0.35;
    context.fill();
    context.globalAlpha = 0.8;
    context.strokeStyle = colours.family.leave;
    context.lineWidth = 1;
    path('inFlight');
    context.stroke();
    context.globalAlpha = 1;
  }
  context.fillStyle = colours.line;
  context.fillRect(Math.max(0, pen.x(row.process.start ?? 0)), bottom, view.width, 1);
}
