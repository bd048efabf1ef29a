/** The position in the URL: `#scene=0&event=0.123&from=1.5&to=40&scale=time&q=text&lane=0.W1`. A link opens the same place. */
import { view, look, match, select, setMode, show, changed } from './view.js';

let written = '';
let timer;

export function writeHash() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const parts = new URLSearchParams();
    if (view.scenes.length > 1) parts.set('scene', view.scenes[view.scene].key);
    const event = view.steps[view.selected];
    if (event) parts.set('event', `${event.track.number}.${event.index}`);
    parts.set('from', view.from.toFixed(2));
    parts.set('to', view.to.toFixed(2));
    if (view.mode !== 'steps') parts.set('scale', view.mode);
    if (view.filter.text !== '') parts.set('q', view.filter.text);
    for (const name of ['lane', 'act', 'connection']) if (view.filter[name] !== '') parts.set(name, view.filter[name]);
    const text = `#${parts}`;
    if (text === written) return;
    written = text;
    history.replaceState(null, '', text);
  }, 150);
}

/** Goes where the URL says. What it names and does not exist is ignored. */
export function readHash() {
  if (location.hash === written || location.hash.length < 2) return;
  const parts = new URLSearchParams(location.hash.slice(1));
  const scene = view.scenes.findIndex(({ key }) => key === parts.get('scene'));
  if (scene !== -1 && scene !== view.scene) show(scene);
  if (parts.get('scale') === 'time' || (parts.has('from') && view.mode === 'time')) setMode(parts.get('scale') === 'time' ? 'time' : 'steps');
  view.filter = { text: parts.get('q') ?? '', lane: parts.get('lane') ?? '', act: parts.get('act') ?? '', connection: parts.get('connection') ?? '' };
  match();
  const [track, index] = (parts.get('event') ?? '').split('.').map(Number);
  const at = view.tracks[track]?.events[index]?.step;
  if (at !== undefined) select(at);
  const [from, to] = [Number(parts.get('from') ?? NaN), Number(parts.get('to') ?? NaN)];
  if (to > from) look(from, to);
  changed();
}
