/** The table of events, for readers who cannot see the picture, and for those who search. Only the rows in sight exist. */
import { view, isMatch, nameOf, select } from './view.js';
import { sentenceOf } from './panel.js';
import { byId, fill, isNarrow, make, say, time, visible } from './words.js';

/** Of a row, in pixels: on a phone what happened has a line of its own. As in style.css. */
const rowHeight = () => (isNarrow() ? 46 : 26);
let rows = [];
// The set or list that `rows` was made of: each change of the events or of a filter makes a new one.
let madeOf = null;
let drawnRows = null;
let drawn = '';
let followed = -2;
let scene = -1;

export function drawTable() {
  const height = rowHeight();
  const table = byId('table');
  byId('events-title').textContent = say('table.title', { shown: view.matches === null ? view.steps.length : view.matches.size, all: view.steps.length });
  if (madeOf !== (view.matches ?? view.steps)) {
    madeOf = view.matches ?? view.steps;
    rows = view.steps.filter(isMatch);
  }
  table.setAttribute('aria-rowcount', String(rows.length + 1));
  table.setAttribute('aria-label', say('table.label'));
  if (scene !== view.scene) table.scrollTop = 0;
  scene = view.scene;
  const at = rows.indexOf(view.steps[view.selected]);
  if (at !== -1 && followed !== view.selected) {
    const top = at * height;
    if (top < table.scrollTop || top > table.scrollTop + table.clientHeight - 3 * height) table.scrollTop = Math.max(0, Math.floor((top - table.clientHeight / 3) / height) * height);
  }
  followed = view.selected;
  // Live: the newest event is in sight.
  if (view.follows && at === -1) table.scrollTop = rows.length * height;
  drawRows();
}

export function drawRows() {
  const height = rowHeight();
  const table = byId('table');
  const first = Math.max(0, Math.floor(table.scrollTop / height) - 6);
  const last = Math.min(rows.length, first + Math.ceil(table.clientHeight / height) + 12);
  const key = [height, first, last, view.selected, document.documentElement.lang].join();
  if (key === drawn && rows === drawnRows) return;
  drawn = key;
  drawnRows = rows;
  const cell = (text, name) => make('span', { role: 'cell', class: name }, make('bdi', {}, text));
  fill(table,
    make('div', { role: 'rowgroup', class: 'head' }, make('div', { role: 'row', class: 'row' }, ['time', 'process', 'event', 'detail'].map((name) => make('span', { role: 'columnheader', class: name }, say(`table.${name}`))))),
    make('div', { role: 'rowgroup', class: 'rows', id: 'rows' }, rows.slice(first, last).map((event, at) => make('div', {
      role: 'row', class: 'row', 'aria-rowindex': first + at + 2, 'aria-selected': event.step === view.selected ? 'true' : 'false', 'data-step': event.step,
      click: () => select(event.step),
    }, cell(`${(event.t / 1e9).toFixed(6)} s`, 'time'), cell(visible(view.tracks.length > 1 ? `${mark(event.track)} ${event.name}` : event.name).slice(0, 24), 'process'), cell(visible(nameOf(event)).slice(0, 40), 'event'), cell(detailOf(event), 'detail')))));
  const body = byId('rows');
  body.style.paddingTop = `${first * height}px`;
  body.style.paddingBottom = `${Math.max(0, rows.length - last) * height}px`;
}

/** Which of two recordings. */
const mark = (track) => (track.number === 0 ? '①' : '②');

function detailOf(event) {
  const more = [event.connection, event.fd >= 0 ? `fd ${event.fd}` : undefined, typeof event.bytes === 'number' ? `${event.bytes} B` : undefined];
  return [sentenceOf(event), ...more.filter((each) => each !== undefined).map((each) => visible(each).slice(0, 30))].join(' · ');
}
