/** The bar of controls: walk, play, scale, zoom, go to, filters. Each also has a key (keys.js). */
import { view, changed, fit, match, nameOf, noFilter, select, setMode, step, zoom } from './view.js';
import { byId, fill, make, say, short, visible } from './words.js';
import { togglePlay } from './play.js';
import { TARGETS, goTo } from './targets.js';

let made = '';

const ICONS = {
  first: 'M4 3v10M13 3 6 8l7 5z', back: 'M11 3 5 8l6 5z', forward: 'm5 3 6 5-6 5z', last: 'M12 3v10M3 3l7 5-7 5z',
  play: 'M4 2.5v11L13 8z', pause: 'M4.5 3v10M11.5 3v10', plus: 'M8 3v10M3 8h10', minus: 'M3 8h10', fit: 'M2 8h12M2 8l3-3M2 8l3 3M14 8l-3-3M14 8l-3 3',
};

/** A drawing of 16 × 16. */
function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

const button = (id, drawing, run) => make('button', { type: 'button', id, 'aria-label': say(`control.${id}`), title: say(`control.${id}`), click: run }, icon(drawing));

export function drawControls() {
  const key = [view.scene, document.documentElement.lang, view.tracks.reduce((sum, track) => sum + track.processes.size, 0), view.live !== null && view.steps.length % 50 === 0 ? view.steps.length : 0].join();
  // A field or a menu that the reader uses right now stays as it is.
  if (key !== made && !document.activeElement?.matches('#tools input, #tools select')) {
    made = key;
    build();
  }
  const play = byId('play');
  play?.classList.toggle('is-on', view.playing);
  play?.setAttribute('aria-pressed', String(view.playing));
  byId('mode').value = view.mode;
  for (const name of ['lane', 'act', 'connection']) byId(`filter-${name}`).value = view.filter[name];
  if (byId('search') !== document.activeElement) byId('search').value = view.filter.text;
  byId('clear').hidden = view.matches === null;
}

/** The controls anew: the language, the scene or the processes have changed. */
function build() {
  const tools = byId('tools');
  tools.setAttribute('aria-label', say('tools.label'));
  fill(tools,
    make('div', { class: 'group walk' }, button('first', 'first', () => select(0)), button('back', 'back', () => step(-1)), button('play', 'play', togglePlay),
      button('forward', 'forward', () => step(1)), button('last', 'last', () => select(view.steps.length - 1)),
      choice('speed', say('control.speed'), [['0.25', '¼×'], ['1', '1×'], ['4', '4×'], ['16', '16×']], (value) => { view.speed = Number(value); }, '1')),
    make('div', { class: 'group' }, button('zoomOut', 'minus', () => zoom(1.5)), button('fit', 'fit', () => fit(true)), button('zoomIn', 'plus', () => zoom(1 / 1.5)),
      choice('mode', say('control.mode'), [['steps', say('mode.steps')], ['time', say('mode.time')]], setMode, view.mode)),
    make('div', { class: 'group' }, choice('goto', say('control.goto'), [['', say('control.goto')], ...TARGETS.map(({ key }) => [key, say(`goto.${key}`)])], (value) => {
      goTo(value);
      byId('goto').value = '';
    }, '')),
    make('div', { class: 'group filters' },
      make('input', { id: 'search', type: 'search', placeholder: say('control.search'), 'aria-label': say('control.search'), value: view.filter.text, input: (event) => filter('text', event.target.value) }),
      choice('filter-lane', say('filter.lane'), [['', say('filter.lane')], ...lanes()], (value) => filter('lane', value), view.filter.lane),
      choice('filter-act', say('filter.act'), [['', say('filter.act')], ...names().map((name) => [name, short(visible(name), 30)])], (value) => filter('act', value), view.filter.act),
      choice('filter-connection', say('filter.connection'), [['', say('filter.connection')], ...connections()], (value) => filter('connection', value), view.filter.connection),
      make('button', { id: 'clear', type: 'button', class: 'quiet', hidden: true, click: clear }, say('filter.clear'))));
}

/** A menu. `options`: [value, text]. */
function choice(id, label, options, run, value) {
  const menu = make('select', { id, 'aria-label': label, title: label, change: (event) => run(event.target.value) },
    options.slice(0, 400).map(([each, text]) => make('option', { value: each }, text)));
  menu.value = value;
  return menu;
}

const labelled = (track, text) => short(visible(view.tracks.length > 1 ? `${track.label}: ${text}` : text), 40);
const lanes = () => view.tracks.flatMap((track) => [...track.processes.keys()].map((name) => [`${track.number}.${name}`, labelled(track, name)]));
const connections = () => view.tracks.flatMap((track) => [...track.connections.keys()].map((id) => [`${track.number}.${id}`, labelled(track, id)]));
const names = () => [...new Set(view.steps.map(nameOf))].sort();

function filter(name, value) {
  view.filter[name] = value;
  match();
  changed();
}

export function clear() {
  view.filter = noFilter();
  match();
  changed();
}
