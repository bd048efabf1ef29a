/**
 * The panel of the selected event: what it is in a sentence, its fields and bytes, the fd at both ends, the state before
 * and after, the invariant that holds there, and the source lines that sent and received it.
 */
import { view, isUnderWay, nameOf, select } from './view.js';
import { stateAt, familyOf } from './model.js';
import { placeOf } from './connections.js';
import { addressText, byId, fill, isNarrow, make, say, stateText, time, visible } from './words.js';
import { invariantOf } from './invariants.js';
import { sourceOf } from './source.js';

let shown = null;

export function drawPanel() {
  const event = view.steps[view.selected] ?? null;
  const arrow = event?.track.arrowOf.get(event.index);
  const key = event === null ? `none ${view.scene} ${view.tracks.length} ${document.documentElement.lang}` : `${event.track.number}.${event.index} ${view.scene} ${document.documentElement.lang} ${arrow !== undefined && isUnderWay(arrow)}`;
  if (shown === key) return;
  shown = key;
  const panel = byId('panel');
  panel.setAttribute('aria-label', say('panel.label'));
  document.body.classList.toggle('has-selection', event !== null);
  fill(panel, event === null ? welcome() : detailsOf(event));
  panel.scrollTop = 0;
  if (event !== null) byId('announce').textContent = `${time(event.t)}: ${sentenceOf(event)}`;
}

/** The panel is to be drawn anew, also if the same event is selected: the language has changed. */
export function forgetPanel() {
  shown = null;
}

/** What the picture and the panel say with a sign. */
const SIGNS = { loop: '▁▃', queue: '▟', percent: '%', killed: '✗', lost: '⤍', hangs: '╌', marks: '✓' };

/** Before anything is selected: what the picture shows. */
function welcome() {
  return [
    make('h2', {}, say('welcome.title')),
    make('p', {}, say('welcome.text')),
    make('dl', { class: 'legend' }, ['handshake', 'reply', 'handoff', 'leave', 'handle', 'app'].flatMap((family) => [
      make('dt', {}, make('i', { class: `swatch ${family}` })), make('dd', {}, say(`family.${family}`)),
    ])),
    make('dl', { class: 'legend' }, ['none', 'online', 'listening', 'leaving', 'disconnected'].flatMap((state) => [
      make('dt', {}, make('i', { class: `bar state-${state}` })), make('dd', {}, say(`state.${state}`)),
    ])),
    make('dl', { class: 'legend' }, Object.entries(SIGNS).flatMap(([key, sign]) => [make('dt', { class: 'sign' }, sign), make('dd', {}, say(`sign.${key}`))])),
    make('h3', {}, say('about.recording')),
    ...view.tracks.map(aboutTrack),
  ];
}

function aboutTrack(track) {
  const { header } = track;
  const list = (values) => (Array.isArray(values) ? values.filter((value) => typeof value === 'string').slice(0, 20) : []);
  return make('div', { class: 'about' },
    make('p', {}, make('b', {}, visible(track.label)), ` · ${visible(header.node ?? '')}${view.live === null ? ` · ${track.events.length.toLocaleString()} ${say('events')} · ${time(track.end)}` : ''}`),
    make('p', { class: 'mono' }, visible(list(header.program).join(' '))),
    ...[...list(header.cannotShow), ...list(header.cutOff), ...track.notes].map((note) => make('p', { class: 'small' }, visible(note))));
}

function detailsOf(event) {
  const arrow = event.track.arrowOf.get(event.index);
  const connection = event.track.connectionOf.get(event.index) ?? (event.connection === undefined ? undefined : event.track.connections.get(event.connection));
  return [
    make('div', { class: 'panel-top' },
      make('h2', { 'data-what': nameOf(event) }, make('i', { class: `swatch ${event.kind === 'message' ? familyOf(String(event.act)) : event.kind}` }), make('bdi', {}, visible(nameOf(event)).slice(0, 80))),
      make('button', { class: 'quiet', type: 'button', 'aria-label': say('close'), click: () => select(-1) }, '×')),
    make('p', { class: 'sentence' }, sentenceOf(event)),
    explanation(event),
    factsOf(event, arrow),
    statesOf(event, connection),
    invariantOf(event, connection),
    isNarrow() ? null : sourcesOf(event, arrow),
    fieldsOf(event),
    bytesOf(event, arrow),
    connection ? lifeOf(connection, event) : null,
    isNarrow() ? make('details', {}, make('summary', {}, say('panel.source')), sourcesOf(event, arrow)) : null,
  ];
}

/** One sentence that says what happened. */
export function sentenceOf(event) {
  const values = { name: event.name, from: event.from, to: event.to, act: event.act, id: event.connection, what: event.of === 'worker' || event.what === undefined ? event.what : addressText(event.what), key: event.address === undefined ? undefined : addressText(event.address), child: event.childName === undefined ? `pid ${event.child}` : `${event.childName} (pid ${event.child})`, old: event.from, new: event.why === undefined ? event.to : `${event.to} (${event.why})`, code: event.code, signal: event.signal, delay: time(event.delay ?? 0), waiting: event.waiting };
  for (const key of Object.keys(values)) values[key] = visible(values[key] ?? '–').slice(0, 80);
  if (event.kind === 'message') return say(`sentence.message.${event.way === 'sent' ? 'sent' : 'received'}`, values);
  if (isRecorderStart(event)) return say('sentence.process.recorderStart', values);
  if (event.kind === 'process' && event.event === 'exit') return say(event.signal ? 'sentence.process.killed' : 'sentence.process.exit', values);
  return say(`sentence.${event.kind}.${event.event ?? event.of ?? ''}`, values) || say(`sentence.${event.kind}`, values) || visible(nameOf(event)).slice(0, 80);
}

/** What a message or an event of this name is for. */
function explanation(event) {
  const text = event.kind === 'message' ? say(event.app === true ? 'why.message' : event.act === 'reply' ? whyReply(event) : `why.${event.act}`) : say(whyEvent(event)) || say(`why.${event.kind}`);
  return text === '' ? null : make('p', { class: 'why' }, text);
}

/** A reply says with its fields what it answers. */
function whyReply({ fields }) {
  if (fields?.taken !== undefined) return 'why.reply.taken';
  if (fields?.accepted !== undefined) return 'why.reply.newconn';
  if (fields?.errno !== undefined || fields?.key !== undefined || fields?.sockname !== undefined) return 'why.reply.listen';
  return fields?.ack !== undefined ? 'why.reply.exitedAfterDisconnect' : 'why.reply';
}

function whyEvent(event) {
  if (event.kind === 'process' && event.event === 'exit' && event.signal && event.role === 'worker') return 'why.process.killed';
  if (isRecorderStart(event)) return 'why.process.recorderStart';
  if (event.event === 'handed off' && event.track.stock) return 'why.connection.handed off.stock';
  if (event.event === 'queued' && wasReturned(event)) return 'why.connection.queued.again';
  return `why.${event.kind}.${event.event ?? ''}`;
}

/** In a stock worker the recorder is loaded after Node's own code, which has sent `online` before. */
const isRecorderStart = (event) => event.kind === 'process' && event.event === 'start' && event.role === 'worker' && event.track.stock;

const wasReturned = (event) => {
  const steps = event.track.connectionOf.get(event.index)?.steps ?? [];
  return steps.slice(0, steps.indexOf(event)).some((step) => step.event === 'returned');
};

function factsOf(event, arrow) {
  const facts = [['fact.time', time(event.t)], ['fact.process', event.kind === 'kernel' ? say('lane.kernel') : `${event.name} (pid ${event.pid})`]];
  if (arrow) {
    facts.push(['fact.latency', arrow.t1 === null ? say(!arrow.sent ? '' : isUnderWay(arrow) ? 'fact.notYet' : 'fact.neverArrived') : time(arrow.t1 - arrow.t0)], ['fact.frame', event.id]);
    facts.push(['fact.dialect', event.dialect], ['fact.bytes', event.bytes ?? arrow.sent?.bytes]);
    const fds = [[arrow.from, arrow.sent?.fd], [arrow.to, arrow.received?.fd]].filter(([, fd]) => fd !== undefined);
    if (fds.length > 0) facts.push(['fact.fd', fds.map(([name, fd]) => `${fd} ${say('in')} ${name}`).join(' → ')]);
  } else if (event.fd >= 0) facts.push(['fact.fd', `${event.fd} ${say('in')} ${event.name}`]);
  for (const key of ['connection', 'address', 'client', 'by', 'bytesRead', 'bytesWritten', 'queue', 'inFlight', 'waiting', 'socket', 'code', 'signal', 'child', 'reason', 'missing', 'why']) {
    if (event[key] !== undefined && event[key] !== null) facts.push([`fact.${key}`, key === 'address' ? addressText(event[key]) : event[key]]);
  }
  return make('dl', { class: 'facts' }, facts.filter(([, value]) => value !== undefined && value !== '').flatMap(([key, value]) => [
    make('dt', {}, say(key, {}, true)), make('dd', { 'data-fact': key.slice(5) }, make('bdi', {}, visible(value).slice(0, 300))),
  ]));
}

/** The worker's state and the connection's place before and after this event. */
function statesOf(event, connection) {
  const rows = [];
  const { track } = event;
  for (const name of new Set([event.name, event.from, event.to, event.what])) {
    const process = track.processes.get(name);
    // What a worker says of itself comes before, or after, what the primary has noted.
    if (event.kind === 'state' && event.name === event.what) {
      rows.push([say('state.ownView', { name }), stateText(event.from), stateText(event.to)]);
      break;
    }
    if (process?.role !== 'worker' || (event.kind === 'state' && event.of !== 'worker')) continue;
    const before = stateAt(process, event.t, true);
    const after = process.states.filter((change) => follows(change.event, event)).at(-1)?.to ?? stateAt(process, event.t);
    rows.push([name, stateText(before), stateText(after)]);
  }
  if (event.kind === 'state' && event.of !== 'worker' && event.name !== event.what) rows.push([event.what, event.from, event.to]);
  if (connection) rows.push([connection.id, placeText(placeOf(connection, event.t, true)), placeText(placeOf(connection, event.t))]);
  if (rows.length === 0) return null;
  return make('section', {}, make('h3', {}, say('panel.state')), make('table', { class: 'states' }, make('tbody', {}, rows.map(([name, before, after]) => make('tr', {},
    make('th', { scope: 'row' }, visible(name ?? '')), make('td', {}, visible(before ?? '')), make('td', { 'aria-label': '→' }, before === after ? '=' : '→'), make('td', {}, visible(after ?? '')))))));
}

const placeText = ({ place, worker }) => say(place, { worker: visible(worker ?? '?').slice(0, 20) });

/** Does a change of state follow from an event: the next thing that its process did, within a millisecond? */
const follows = (change, event) => change.name === event.name && change.seq > event.seq && change.seq <= event.seq + 3 && change.t - event.t < 1e6;

function fieldsOf(event) {
  if (event.kind !== 'message') return null;
  const rows = (fields) => Object.entries(fields).slice(0, 60).map(([key, value]) => make('tr', {},
    make('th', { scope: 'row' }, visible(key).slice(0, 60)), make('td', {}, make('bdi', {}, visible(typeof value === 'string' ? value : JSON.stringify(value) ?? '').slice(0, 2000)))));
  const isObject = (value) => value !== null && typeof value === 'object';
  const body = isObject(event.fields) ? rows(event.fields) : [make('tr', {}, make('td', {}, event.fields === null ? say('fields.hidden') : visible(JSON.stringify(event.fields) ?? '–').slice(0, 2000)))];
  const inside = isObject(event.carries) && isObject(event.carries.fields) ? [make('tr', {}, make('th', { colspan: 2, class: 'inside' }, say('fields.inside'))), ...rows(event.carries.fields)] : [];
  return make('section', {}, make('h3', {}, say('panel.fields')), make('table', { class: 'fields' }, make('tbody', {}, body, inside)));
}

const MOST_BYTES = 512;

/** The bytes of the frame, as they went over the pipe. */
function bytesOf(event, arrow) {
  if (event.kind !== 'message' || !arrow) return null;
  const bytes = frameOf(event);
  if (bytes === null) return null;
  const lines = [];
  for (let at = 0; at < Math.min(bytes.length, MOST_BYTES); at += 16) {
    const part = [...bytes.subarray(at, at + 16)];
    const hex = part.map((byte) => byte.toString(16).padStart(2, '0')).join(' ').padEnd(47);
    lines.push(`${at.toString(16).padStart(4, '0')}  ${hex}  ${part.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '·')).join('')}`);
  }
  if (bytes.length > MOST_BYTES) lines.push('…');
  return make('details', {}, make('summary', {}, say('panel.bytes', { count: bytes.length })), make('pre', { class: 'hex', tabindex: 0 }, lines.join('\n')));
}

function frameOf(event) {
  if (typeof event.wire === 'string') {
    try {
      return Uint8Array.from(atob(event.wire), (one) => one.charCodeAt(0));
    } catch {
      return null; // No base64: the recording lies, and there are no bytes to show.
    }
  }
  if (event.fields === null || event.fields === undefined || event.encoding === 'advanced' || (event.redacted ?? []).length > 0) return null;
  return new TextEncoder().encode(`${event.tag ?? ''}${JSON.stringify(event.fields)}\n`);
}

/** Every step of the connection; each is a link. */
function lifeOf(connection, chosen) {
  return make('section', {}, make('h3', {}, say('panel.life', { id: visible(connection.id).slice(0, 20) })),
    make('ol', { class: 'life' }, connection.steps.slice(0, 60).map((step) => make('li', { 'aria-current': step === chosen ? 'step' : null },
      make('button', { type: 'button', class: 'link', click: () => select(step.step) }, `${time(step.t)} ${visible(step.name).slice(0, 12)} ${visible(step.event).slice(0, 30)}`)))),
    connection.hangsFrom !== null ? make('p', { class: 'bad' }, say('life.hangs')) : null);
}

function sourcesOf(event, arrow) {
  const parts = arrow
    ? [[say('source.sent', { name: arrow.from }), arrow.sent], [say('source.received', { name: arrow.to }), arrow.received]]
    : [[say('source.here'), event]];
  return make('section', {}, make('h3', {}, say('panel.source')), parts.map(([title, one]) => sourceOf(title, one, event.track.stock)));
}
