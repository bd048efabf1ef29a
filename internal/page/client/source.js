/** Shows the source line that sent or received something, with the lines around it and the header of its file. */
import { view } from './view.js';
import { make, say, visible } from './words.js';

const AROUND = 9;

export function sourceOf(title, event, isStock) {
  const place = event?.source;
  const file = typeof place?.file === 'string' ? place.file : null;
  const text = file !== null && Object.hasOwn(view.sources, file) ? view.sources[file] : null;
  if (text === null || !Number.isInteger(place.line)) {
    const why = event === null || event === undefined ? 'source.notRecorded' : isStock ? 'source.stock' : file === null ? 'source.none' : 'source.missing';
    return make('div', { class: 'source' }, make('p', { class: 'small' }, `${visible(title)}: ${say(why, { file: visible(file ?? '').slice(0, 120), place: nodeFile(event) })}`));
  }
  const lines = text.split('\n');
  const first = Math.max(1, place.line - AROUND);
  const last = Math.min(lines.length, place.line + AROUND);
  const header = headerOf(text);
  return make('div', { class: 'source' },
    make('p', { class: 'source-title' }, `${title} `, make('code', { 'data-source': `${file}:${place.line}` }, `${file}:${place.line}`)),
    make('pre', { class: 'code', tabindex: 0 }, lines.slice(first - 1, last).map((line, at) => make('span', { class: first + at === place.line ? 'line here' : 'line' },
      make('span', { class: 'number', 'aria-hidden': 'true' }, String(first + at)), `${line}\n`))),
    header === '' ? null : make('details', {}, make('summary', {}, say('source.header', { file })), make('pre', { class: 'header', tabindex: 0 }, header)));
}

/** The first comment of a file, without its stars. */
const headerOf = (text) => (/^\/\*\*([\s\S]*?)\*\//.exec(text)?.[1] ?? '').replace(/^ ?\* ?/gm, '').trim();

/** Where Node's own cluster does this. */
function nodeFile(event) {
  if (event?.kind === 'message') return event.app === true ? 'lib/internal/child_process.js' : event.role === 'worker' ? 'lib/internal/cluster/child.js' : 'lib/internal/cluster/primary.js';
  return event?.role === 'worker' ? 'lib/internal/cluster/child.js' : 'lib/internal/cluster/round_robin_handle.js';
}
