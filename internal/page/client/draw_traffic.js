/**
 * Draws what moves: connections as threads through the lanes, messages as arrows. What a filter leaves out is faint, and
 * what is selected is strong.
 */
import { view, isMatch, isUnderWay } from './view.js';
import { slotY } from './layout.js';
import { familyOf } from './model.js';
import { short, visible, say } from './words.js';

const selectedEvent = () => view.steps[view.selected];

/** How strong a thing with these events is drawn. */
function strength(events) {
  if (view.matches !== null && !events.some((event) => event && isMatch(event))) return 0.1;
  return 1;
}

export function drawThreads(pen) {
  const { context, colours } = pen;
  const { laneOf } = view.layout;
  const chosen = selectedEvent();
  let count = 0;
  for (const track of view.tracks) {
    const mine = chosen?.track === track ? track.connectionOf.get(chosen.index)?.id ?? chosen.connection : undefined;
    const lane = (name) => laneOf.get(`${track.number}.${name}`);
    for (const connection of track.connections.values()) {
      if (!pen.isSeen(connection.open, connection.closed ?? track.end)) continue;
      count++;
      const isChosen = connection.id === mine;
      context.strokeStyle = colours.thread[connection.colour];
      context.fillStyle = context.strokeStyle;
      context.globalAlpha = strength(connection.steps) * (isChosen || mine === undefined ? 0.95 : 0.6);
      context.lineWidth = isChosen ? 4 : 2.5;
      context.lineCap = 'round';
      const clients = lane('');
      if (clients) drawClientSide(pen, connection, clients, connection.clientSpan, lane(connection.spans[0]?.lane));
      for (const span of connection.spans) drawSpan(pen, track, lane(span.lane), span);
      for (const hop of connection.hops) drawHop(pen, connection, lane, hop);
      drawEnd(pen, connection, lane);
      context.globalAlpha = 1;
    }
  }
  return count;
}

const TURN = 12;

/** What the client sees: its connection is open from here to there; and the way down to whoever accepts it. */
function drawClientSide(pen, connection, row, span, first) {
  const { context, colours } = pen;
  const y = slotY(row, span);
  const from = pen.x(connection.open) - TURN;
  const to = pen.x(connection.closed ?? connection.track.end);
  line(pen, from, to, y);
  dot(pen, from, y, 3.2, true);
  const target = first && connection.spans[0];
  if (target) curve(pen, from, y, from + TURN, slotY(first, target));
  // Its worker is dead, and nobody will ever answer.
  if (connection.hangsFrom !== null) {
    context.save();
    context.strokeStyle = colours.bad;
    context.setLineDash([5, 4]);
    context.lineWidth += 0.5;
    line(pen, Math.max(pen.x(connection.hangsFrom), from), to, y);
    context.setLineDash([]);
    context.fillStyle = colours.bad;
    context.font = `600 ${colours.font}`;
    context.textBaseline = 'bottom';
    context.textAlign = 'right';
    context.fillText(say('thread.hangs', { id: short(visible(connection.id), 12) }), Math.min(to, pen.width) - 8, y - 3);
    context.restore();
  }
  if (connection.closed === null) dot(pen, to, y, 3.2, false);
}

function drawSpan(pen, track, row, span) {
  if (!row) return;
  const { context } = pen;
  const y = slotY(row, span);
  const from = pen.x(span.t0);
  const to = pen.x(span.t1 ?? track.end);
  const width = context.lineWidth;
  if (span.kind === 'copy') {
    context.setLineDash([2, 5]);
    context.lineWidth = width * 0.75;
  }
  line(pen, from, to, y);
  context.setLineDash([]);
  context.lineWidth = width;
  dot(pen, from, y, 2.6, true);
}

function drawHop(pen, connection, lane, hop) {
  const [from, to] = [lane(hop.from), lane(hop.to)];
  if (!from || !to) return;
  const { context, colours } = pen;
  const out = connection.spans.find((span) => span.lane === hop.from && (span.t0 === hop.t0 || span.t1 === hop.t0 && span.kind === 'worker'));
  const into = connection.spans.find((span) => span.lane === hop.to && span.t0 === hop.t1);
  const y0 = out ? slotY(from, out) : from.base;
  const y1 = into ? slotY(to, into) : to.y + to.top + to.pitch / 2;
  curve(pen, pen.x(hop.t0), y0, pen.x(hop.t1), y1, hop.broken || hop.isOpen === true);
  if (!hop.broken) return;
  const x = pen.x(hop.t1);
  context.save();
  context.strokeStyle = colours.bad;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x - 3.5, y1 - 3.5);
  context.lineTo(x + 3.5, y1 + 3.5);
  context.moveTo(x + 3.5, y1 - 3.5);
  context.lineTo(x - 3.5, y1 + 3.5);
  context.stroke();
  context.restore();
}

function drawEnd(pen, connection, lane) {
  const last = connection.spans.findLast((span) => span.kind === 'worker');
  if (!last || last.t1 === null) return;
  const row = lane(last.lane);
  if (row) dot(pen, pen.x(last.t1), slotY(row, last), 3.2, connection.by !== 'client');
}

function line(pen, from, to, y) {
  if (to < -5 || from > pen.width + 5) return;
  pen.context.beginPath();
  pen.context.moveTo(Math.max(from, -10), y);
  pen.context.lineTo(Math.min(Math.max(to, from + 0.1), pen.width + 10), y);
  pen.context.stroke();
}

function curve(pen, x0, y0, x1, y1, dashed = false) {
  if (Math.max(x0, x1) < -5 || Math.min(x0, x1) > pen.width + 5) return;
  const { context } = pen;
  if (dashed) context.setLineDash([3, 4]);
  context.beginPath();
  context.moveTo(x0, y0);
  const bend = Math.max(6, Math.abs(x1 - x0) * 0.6);
  context.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1, y1);
  context.stroke();
  context.setLineDash([]);
}

function dot(pen, x, y, radius, isFull) {
  if (x < -5 || x > pen.width + 5) return;
  const { context, colours } = pen;
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  if (isFull) return context.fill();
  const before = context.fillStyle;
  context.fillStyle = colours.surface;
  context.fill();
  context.fillStyle = before;
  context.lineWidth = 1.6;
  context.stroke();
}

/** Messages. Gives how many are inside the window. */
export function drawArrows(pen) {
  const chosen = selectedEvent();
  const boxes = [...pen.texts];
  const labels = [];
  let count = 0;
  for (const track of view.tracks) {
    const marked = chosen?.track === track ? track.arrowOf.get(chosen.index) : undefined;
    for (const arrow of track.arrows) {
      const place = placeOfArrow(pen, track, arrow);
      if (place === null) continue;
      count++;
      drawArrow(pen, arrow, place, arrow === marked);
      if (pen.perUnit > 7 || arrow === marked) labels.push({ arrow, place, isMarked: arrow === marked });
    }
  }
  labels.sort((a, b) => Number(b.isMarked) - Number(a.isMarked));
  for (const label of labels) drawLabel(pen, label, boxes);
  return count;
}

/** Where an arrow is; null if it is outside the window. A message that nobody received ends half-way. */
export function placeOfArrow(pen, track, arrow) {
  const from = view.layout.laneOf.get(`${track.number}.${arrow.from}`);
  const to = view.layout.laneOf.get(`${track.number}.${arrow.to}`);
  if (!from || !to) return null;
  const x0 = pen.x(arrow.t0);
  const x1 = arrow.t1 === null ? x0 + Math.min(24, Math.max(6, pen.perUnit)) : pen.x(arrow.t1);
  if (Math.max(x0, x1) < -2 || Math.min(x0, x1) > pen.width + 2) return null;
  const y1 = arrow.t1 === null ? from.base + (to.base - from.base) * 0.55 : to.base;
  return { x0, y0: from.base, x1, y1 };
}

function drawArrow(pen, arrow, { x0, y0, x1, y1 }, isMarked) {
  const { context, colours } = pen;
  const isDense = pen.perUnit < 3;
  context.strokeStyle = isMarked ? colours.accent : colours.family[familyOf(arrow.act)];
  context.fillStyle = context.strokeStyle;
  context.globalAlpha = strength([arrow.sent, arrow.received]) * (isMarked ? 1 : isDense ? 0.3 : 0.85);
  context.lineWidth = isMarked ? 2.5 : isDense ? 0.8 : 1.3;
  if (arrow.t1 === null) context.setLineDash([4, 3]);
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
  context.setLineDash([]);
  if (!isDense || isMarked) {
    const angle = Math.atan2(y1 - y0, x1 - x0);
    const size = isMarked ? 9 : 6.5;
    context.beginPath();
    if (isUnderWay(arrow)) {
      dot(pen, x1, y1, 2.6, false);
    } else if (arrow.t1 === null) {
      context.moveTo(x1 - 4, y1 - 4);
      context.lineTo(x1 + 4, y1 + 4);
      context.moveTo(x1 + 4, y1 - 4);
      context.lineTo(x1 - 4, y1 + 4);
      context.stroke();
    } else {
      context.moveTo(x1, y1);
      context.lineTo(x1 - size * Math.cos(angle - 0.42), y1 - size * Math.sin(angle - 0.42));
      context.lineTo(x1 - size * Math.cos(angle + 0.42), y1 - size * Math.sin(angle + 0.42));
      context.fill();
    }
  }
  context.globalAlpha = 1;
}

/** Where the name of a message may stand, from its sender (0) to its receiver (1). */
const PLACES = [0.5, 0.35, 0.65, 0.22, 0.8];

/** The name of a message beside its arrow, where no other text is in the way; that of the selected one is always there. */
function drawLabel(pen, { arrow, place: { x0, y0, x1, y1 }, isMarked }, boxes) {
  const { context, colours } = pen;
  context.font = isMarked ? `600 ${colours.font}` : colours.font;
  const text = short(visible(arrow.act), 22);
  const width = context.measureText(text).width;
  const places = PLACES.map((part) => ({ x: x0 + (x1 - x0) * part + 5, y: y0 + (y1 - y0) * part }));
  const boxOf = ({ x, y }) => [x - 3, y - 8, x + width + 3, y + 8];
  const isFree = (place) => {
    const box = boxOf(place);
    return place.x >= 0 && place.x + width <= pen.width && !boxes.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]);
  };
  const place = places.find(isFree) ?? (isMarked ? places[0] : undefined);
  if (place === undefined) return;
  boxes.push(boxOf(place));
  context.globalAlpha = strength([arrow.sent, arrow.received]);
  context.lineWidth = 4;
  context.lineJoin = 'round';
  context.strokeStyle = colours.ground;
  context.textBaseline = 'middle';
  context.textAlign = 'left';
  context.strokeText(text, place.x, place.y);
  context.fillStyle = isMarked ? colours.accent : colours.family[familyOf(arrow.act)];
  context.fillText(text, place.x, place.y);
  context.globalAlpha = 1;
}
