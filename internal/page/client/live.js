/**
 * Live: events come while the program runs, and buttons act on the running cluster. A page that was written to a file
 * has neither.
 */
import { view, arrange, changed, look } from './view.js';
import { addEvents } from './model.js';
import { byId, fill, make, notice, say } from './words.js';

let waiting = [];
let isPlanned = false;
let drawn = '';

export function startLive(live) {
  view.live = { ...live, state: 'running' };
  view.follows = true;
  const source = new EventSource(`events?token=${encodeURIComponent(live.token)}`);
  source.addEventListener('recorded', (message) => {
    waiting.push(JSON.parse(message.data));
    if (!isPlanned) setTimeout(take, 120);
    isPlanned = true;
  });
  source.addEventListener('source', (message) => {
    const { file, text } = JSON.parse(message.data);
    view.sources[file] = text;
  });
  source.addEventListener('ended', (message) => {
    view.live.state = 'ended';
    notice(say('live.ended', { text: JSON.parse(message.data) }));
    source.close();
    changed();
  });
  source.addEventListener('error', () => {
    if (view.live.state !== 'running') return;
    view.live.state = 'ended';
    notice(say('live.gone'));
    // It would connect again, and get every event a second time.
    source.close();
    changed();
  });
}

/** Most events that a live page keeps: then it takes no more, and says so. */
const MOST = 60_000;

function take() {
  isPlanned = false;
  const events = waiting;
  waiting = [];
  const track = view.tracks[0];
  if (track.events.length > MOST) {
    notice(say('live.full', { most: MOST }));
    return;
  }
  addEvents(track, events);
  arrange();
  // The window grows with the recording until it is as wide as a page shows well.
  const span = Math.max(view.to - view.from, Math.min(view.width / 11, view.scale.length + 3));
  if (view.follows && view.selected === -1) view.cursor = view.scale.length;
  if (view.follows) look(view.scale.length - span * 0.92, view.scale.length + span * 0.08);
}

export function drawActions() {
  const bar = byId('actions');
  if (view.live === null) return;
  const workers = [...view.tracks[0].processes.values()].filter(({ role, end }) => role === 'worker' && end === null).map(({ name }) => name);
  const key = `${workers.join()} ${document.documentElement.lang} ${view.live.state} ${view.follows}`;
  if (key === drawn || document.activeElement?.matches('#actions select')) return;
  const before = byId('target')?.value;
  drawn = key;
  bar.hidden = false;
  bar.setAttribute('aria-label', say('actions.label'));
  const off = view.live.state !== 'running';
  const menu = make('select', { id: 'target', 'aria-label': say('actions.target') }, workers.map((name) => make('option', { value: name }, name)));
  if (workers.includes(before)) menu.value = before;
  const button = (action, values) => make('button', { type: 'button', 'data-action': action, disabled: off, click: () => void act(action, values()) }, say(`action.${action}`));
  const chosen = () => ({ worker: byId('target').value });
  fill(bar,
    make('div', { class: 'group' }, make('b', { class: 'live' }, say(off ? 'live.over' : 'live.now')), make('label', {}, make('input', { type: 'checkbox', id: 'follow', checked: view.follows, change: (event) => { view.follows = event.target.checked; } }), ` ${say('live.follow')}`)),
    make('div', { class: 'group' }, button('fork', () => ({})), button('reload', () => ({})), make('input', { id: 'clients', type: 'number', min: 1, max: 1000, value: byId('clients')?.value ?? 3, 'aria-label': say('actions.clients') }), button('open', () => ({ count: Number(byId('clients').value) }))),
    make('div', { class: 'group' }, menu, ...['kill', 'stop', 'continue', 'block', 'disconnect'].map((action) => button(action, chosen))),
    make('span', { id: 'acted', role: 'status', class: 'small' }, byId('acted')?.textContent ?? ''));
}

/** Asks the program `watch` to act. What it answers is shown beside the buttons. */
async function act(action, values) {
  const answer = byId('acted');
  answer.textContent = '…';
  try {
    const response = await fetch(`act?token=${encodeURIComponent(view.live.token)}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ action, ...values }) });
    const text = await response.text();
    byId('acted').textContent = response.ok ? text : say('actions.failed', { text });
  } catch (error) {
    byId('acted').textContent = say('actions.failed', { text: String(error) });
  }
}
