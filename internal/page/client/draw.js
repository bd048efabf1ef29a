/**
 * Draws the picture on a canvas: only what is inside the window. The parts are in draw_lanes.js (lanes, states, event
 * loops, queues) and draw_traffic.js (connections, messages).
 */
import { view } from './view.js';
import { timeOf, unitOf, shortened } from './scale.js';
import { time, byId, say } from './words.js';
import { drawLane, drawTitle } from './draw_lanes.js';
import { drawArrows, drawThreads } from './draw_traffic.js';

let colours = null;

/** Reads the colours of style.css; again after the theme has changed. */
export function readColours() {
  // A canvas does not know `light-dark()`: an element with that colour says which one it is now.
  const probe = document.body.appendChild(document.createElement('i'));
  const of = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  colours = {
    ink: of('ink'), muted: of('muted'), line: of('line'), ground: of('ground'), surface: of('surface'), accent: of('accent'), bad: of('bad'), stripe: of('stripe'),
    state: { none: of('state-none'), online: of('state-online'), listening: of('state-listening'), leaving: of('state-leaving'), disconnected: of('state-disconnected'), dead: of('bad') },
    family: { handoff: of('handoff'), handshake: of('handshake'), reply: of('reply'), leave: of('leave'), handle: of('handle'), app: of('app') },
    thread: Array.from({ length: 10 }, (_none, at) => of(`thread-${at}`)),
    font: '11px system-ui, sans-serif', mono: '11px ui-monospace, SFMono-Regular, Menlo, monospace',
  };
  probe.remove();
}

/** What one drawing needs: the context, the colours, and how a time becomes a place. */
function penOf(canvas, height, scroll) {
  const dots = window.devicePixelRatio || 1;
  const width = view.width;
  if (canvas.width !== Math.round(width * dots) || canvas.height !== Math.round(height * dots)) {
    canvas.width = Math.round(width * dots);
    canvas.height = Math.round(height * dots);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext('2d');
  context.setTransform(dots, 0, 0, dots, 0, 0);
  context.clearRect(0, 0, width, height);
  const perUnit = width / (view.to - view.from);
  return {
    context, colours, width, height, scroll, perUnit,
    x: (t) => (unitOf(view.scale, t) - view.from) * perUnit,
    isSeen: (t0, t1) => unitOf(view.scale, t0) <= view.to && unitOf(view.scale, t1) >= view.from,
    t0: timeOf(view.scale, view.from), t1: timeOf(view.scale, view.to), labels: [], texts: [],
  };
}

/** Draws everything; gives how much there is, for the labels that a reader without eyes gets. */
export function draw() {
  const canvas = byId('picture');
  const stage = byId('stage');
  if (colours === null) readColours();
  const pen = penOf(canvas, stage.clientHeight, stage.scrollTop);
  const { context } = pen;
  context.save();
  context.translate(0, -pen.scroll);
  drawWaits(pen);
  for (const row of view.layout.rows) {
    if (row.y + row.h < pen.scroll || row.y > pen.scroll + pen.height) continue;
    if (row.kind === 'title') drawTitle(pen, row);
    else drawLane(pen, row);
  }
  const threads = drawThreads(pen);
  const arrows = drawArrows(pen);
  context.restore();
  drawAxis(pen);
  drawCursor(pen);
  canvas.dataset.lanes = String(view.layout.laneOf.size);
  canvas.dataset.arrows = String(arrows);
  canvas.dataset.threads = String(threads);
  canvas.setAttribute('aria-label', say('picture.label', { lanes: view.layout.laneOf.size, arrows, threads, from: time(pen.t0), to: time(pen.t1) }));
}

/** Where the scale has made a long wait short. */
function drawWaits(pen) {
  const { context, width } = pen;
  for (const { t0, t1 } of shortened(view.scale, view.from, view.to)) {
    const middle = (pen.x(t0) + pen.x(t1)) / 2;
    if (middle < 0 || middle > width || t1 - t0 < 1e8 || pen.x(t1) - pen.x(t0) < 12) continue;
    context.strokeStyle = pen.colours.line;
    context.lineWidth = 1;
    context.setLineDash([2, 4]);
    context.beginPath();
    context.moveTo(Math.round(middle) + 0.5, 30);
    context.lineTo(Math.round(middle) + 0.5, view.layout.height);
    context.stroke();
    context.setLineDash([]);
  }
}

function drawAxis(pen) {
  const { context, width, colours: { surface, line, muted, ink } } = pen;
  context.fillStyle = surface;
  context.fillRect(0, 0, width, 28);
  context.fillStyle = line;
  context.fillRect(0, 28, width, 1);
  context.font = pen.colours.font;
  context.textBaseline = 'middle';
  const waits = shortened(view.scale, view.from, view.to);
  let free = -Infinity;
  context.textAlign = 'center';
  for (const { t0, t1 } of waits) {
    const room = pen.x(t1) - pen.x(t0);
    const middle = (pen.x(t0) + pen.x(t1)) / 2;
    const text = `⋯ ${time(t1 - t0, 0)} ⋯`;
    const half = context.measureText(text).width / 2 + 6;
    if (room < 9 || middle - half < Math.max(free, 0) || middle + half > width) continue;
    context.fillStyle = muted;
    context.fillText(text, middle, 14);
    pen.labels.push([middle - half, middle + half]);
    free = middle + half;
  }
  context.fillStyle = ink;
  const between = 110;
  for (let x = between / 2; x < width; x += between) {
    const t = timeOf(view.scale, view.from + x / pen.perUnit);
    if (t < 0 || t > Math.max(...view.tracks.map((track) => track.end)) + 1) continue;
    const text = time(t);
    const half = context.measureText(text).width / 2 + 6;
    if (x + half > width || pen.labels.some(([from, to]) => x + half > from && x - half < to)) continue;
    context.fillText(text, x, 14);
    context.fillRect(Math.round(x), 24, 1, 4);
  }
  context.textAlign = 'left';
}

function drawCursor(pen) {
  const { context, height, colours: { accent } } = pen;
  const x = (view.cursor - view.from) * pen.perUnit;
  if (x < -1 || x > pen.width + 1) return;
  context.fillStyle = accent;
  context.fillRect(Math.round(x) - 0.5, 22, 1.5, height);
  context.beginPath();
  context.moveTo(x - 5, 19);
  context.lineTo(x + 5, 19);
  context.lineTo(x, 28);
  context.fill();
}

/** The strip below: the whole recording, how busy it is, and which part the window shows. */
export function drawOverview() {
  const canvas = byId('overview');
  const dots = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.round(width * dots);
  canvas.height = Math.round(height * dots);
  const context = canvas.getContext('2d');
  context.scale(dots, dots);
  context.clearRect(0, 0, width, height);
  const units = view.scale.length;
  const bins = new Float32Array(Math.max(1, Math.floor(width / 3)));
  for (const event of view.steps) bins[Math.min(bins.length - 1, Math.floor((unitOf(view.scale, event.t) / units) * bins.length))]++;
  const most = bins.reduce((highest, count) => Math.max(highest, count), 1);
  context.fillStyle = colours.muted;
  context.globalAlpha = 0.55;
  bins.forEach((count, at) => {
    if (count > 0) context.fillRect(at * 3, height - 3 - (count / most) * (height - 8), 2, (count / most) * (height - 8) + 1);
  });
  context.globalAlpha = 1;
  const left = Math.max(0, (view.from / units) * width);
  const right = Math.min(width, (view.to / units) * width);
  context.fillStyle = colours.accent;
  context.globalAlpha = 0.12;
  context.fillRect(left, 0, Math.max(2, right - left), height);
  context.globalAlpha = 0.8;
  context.strokeStyle = colours.accent;
  context.strokeRect(left + 0.5, 0.5, Math.max(2, right - left) - 1, height - 1);
  context.globalAlpha = 1;
  context.fillStyle = colours.accent;
  context.fillRect((view.cursor / units) * width - 0.5, 0, 1.5, height);
  canvas.setAttribute('aria-label', say('overview.label'));
  canvas.setAttribute('aria-valuemin', '0');
  canvas.setAttribute('aria-valuemax', String(Math.max(0, view.steps.length - 1)));
  canvas.setAttribute('aria-valuenow', String(Math.max(0, view.selected)));
  canvas.setAttribute('aria-valuetext', time(timeOf(view.scale, view.cursor)));
}
