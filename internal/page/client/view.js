/**
 * What the reader sees now: the tracks, the window of time, the cursor, what is selected, and the filters. Who changes it
 * calls `changed`; everything that shows it is drawn once, in the next frame.
 */
import { buildTrack, isStep } from './model.js';
import { makeScale, timeOf, unitOf } from './scale.js';
import { layOut } from './layout.js';

export const noFilter = () => ({ text: '', lane: '', connection: '', act: '' });

export const view = {
  scenes: [], scene: 0, tracks: [], steps: [], scale: null, mode: 'steps', from: 0, to: 1,
  cursor: 0, selected: -1, playing: false, speed: 1, sources: {}, live: null, follows: false,
  filter: noFilter(), matches: null, layout: null, width: 800, hover: null,
};

const painters = [];
let isWaiting = false;

/** `paint` runs before the next frame after a change. */
export const onChange = (paint) => painters.push(paint);

export function changed() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    for (const paint of painters) paint();
  });
}

/** Shows the recordings of a scene. */
export function show(scene) {
  const recordings = view.scenes[scene].tracks;
  view.scene = scene;
  const startOf = ({ events }) => events.find((event) => Number.isFinite(event?.at))?.at ?? 0;
  const shifts = recordings.map((each) => (recordings.length > 1 ? startOf(each) : 0));
  view.tracks = recordings.map((each, at) => buildTrack(each, at, shifts[at]));
  view.selected = -1;
  view.cursor = 0;
  view.filter = noFilter();
  view.matches = null;
  arrange();
  view.cursor = unitOf(view.scale, firstMessage()?.t ?? 0);
  fit();
}

/** After events have come: the order of the steps, the scale, the lanes. */
export function arrange() {
  const chosen = view.steps[view.selected];
  view.steps = view.tracks.flatMap((track) => track.events.filter(isStep)).sort((a, b) => a.t - b.t || a.track.number - b.track.number || a.index - b.index);
  view.steps.forEach((event, at) => { event.step = at; });
  if (chosen) view.selected = chosen.step;
  const end = Math.max(0, ...view.tracks.map((track) => track.end));
  view.scale = makeScale(view.steps.map((event) => event.t), end, view.mode);
  view.layout = layOut(view.tracks, view.scale);
  match();
  changed();
}

export function setMode(mode) {
  const t = timeOf(view.scale, view.cursor);
  view.mode = mode;
  arrange();
  view.cursor = unitOf(view.scale, t);
  fit();
}

/** The window that a reader sees first: everything, unless that would be too dense. */
export function fit(all = false) {
  const units = view.scale.length;
  const room = Math.max(20, view.width / 11);
  const pad = Math.min(2, units * 0.03);
  const isWide = all || view.mode === 'time' || units > 4000 || units <= room * 1.6;
  const start = Math.max(0, unitOf(view.scale, firstMessage()?.t ?? 0) - room * 0.06);
  look(isWide ? -pad : start, isWide ? units + pad : start + room);
}

/** Where there is something to see: before, processes only start. */
const firstMessage = () => view.steps.find((event) => event.kind === 'message') ?? view.steps[0];

/** Moves the window; it stays over the recording. */
export function look(from, to) {
  const units = view.scale.length;
  const span = Math.min(Math.max(to - from, 0.5), units * 1.1 + 4);
  const pad = Math.min(span * 0.5, 4 + span * 0.05);
  const start = Math.min(Math.max(from, -pad), Math.max(-pad, units + pad - span));
  view.from = start;
  view.to = start + span;
  changed();
}

export function zoom(factor, at = (view.from + view.to) / 2) {
  look(at - (at - view.from) * factor, at + (view.to - at) * factor);
}

/** Puts a unit into the window, if it is not there. */
export function reveal(u) {
  const span = view.to - view.from;
  if (u < view.from + span * 0.08 || u > view.to - span * 0.12) look(u - span * 0.4, u + span * 0.6);
}

/** Selects a step by its number; -1: none. The cursor goes there. */
export function select(step, follow = true) {
  view.selected = step;
  const event = view.steps[step];
  if (event !== undefined) {
    view.cursor = unitOf(view.scale, event.t);
    if (follow) reveal(view.cursor);
  }
  changed();
}

/** The next step that the filters let through, forwards (1) or backwards (-1). */
export function step(direction) {
  let at = view.selected;
  if (at === -1) {
    const t = timeOf(view.scale, view.cursor);
    at = direction > 0 ? lastUntil(t, true) : lastUntil(t, false) + 1;
  }
  for (at += direction; at >= 0 && at < view.steps.length; at += direction) {
    if (isMatch(view.steps[at])) return select(at);
  }
}

/** The last step at or before a time (before: before it). */
export function lastUntil(t, before = false) {
  let low = 0;
  let high = view.steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before ? view.steps[middle].t < t : view.steps[middle].t <= t) low = middle + 1; else high = middle;
  }
  return low - 1;
}

/** Moves the cursor to a unit, and selects the last event before it. */
export function scrub(u) {
  view.cursor = Math.min(Math.max(u, 0), view.scale.length);
  view.selected = lastUntil(timeOf(view.scale, view.cursor) + 0.5);
  changed();
}

/** A message of a program that runs, which its receiver may still get. */
export const isUnderWay = ({ t1, to, track }) => t1 === null && view.live?.state === 'running' && track.processes.get(to)?.end === null;

export const isMatch = (event) => view.matches === null || view.matches.has(event);

/** Which events the filters let through. */
export function match() {
  const { text, lane, connection, act } = view.filter;
  const words = text.toLowerCase().split(/\s+/).filter((word) => word !== '');
  if (words.length === 0 && lane === '' && connection === '' && act === '') {
    view.matches = null;
    return;
  }
  view.matches = new Set(view.steps.filter((event) => {
    const key = `${event.track.number}.`;
    if (lane !== '' && ![event.name, event.from, event.to, event.what].some((name) => key + name === lane)) return false;
    if (connection !== '' && ![event.connection, ...(Array.isArray(event.connections) ? event.connections : [])].some((id) => key + id === connection)) return false;
    if (act !== '' && nameOf(event) !== act) return false;
    if (words.length === 0) return true;
    event.found ??= searchText(event);
    return words.every((word) => event.found.includes(word));
  }));
}

const searchText = (event) => JSON.stringify(event, (key, value) => (key === 'track' || key === 'found' || key === 'wire' ? undefined : value)).toLowerCase();

/** What an event is, in one word: the act of a message, or what happened. */
export function nameOf(event) {
  if (event.kind === 'message') return String(event.act);
  if (event.kind === 'state') return `${event.of}: ${event.to}`;
  return String(event.event ?? event.kind);
}
