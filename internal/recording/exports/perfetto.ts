/**
 * A recording as Chrome trace events, for https://ui.perfetto.dev: each process is a track, each message a slice with an
 * arrow to its receiver, each connection a chain of asynchronous spans (queued, in flight, open), and the queue, what is
 * in flight and the event loop are counters.
 *
 * The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. Times are microseconds.
 *
 * Used by  index.ts
 * Keeps    each span that begins also ends, the last ones with the recording
 */
import type { ConnectionEvent, KernelEvent, LoopEvent, MessageEvent, RecordedEvent, RecordingHeader, StateEvent } from '../format';
import type { Recording } from '../read';
import { messageText, printable, stateText } from './words';

/** The tracks of each process. */
const MESSAGES = 1;
const LOOP = 2;
/** Microseconds: the width of a message on its track. */
const WIDTH = 1;
/** Pieces of this many characters are written together. */
const PIECE = 65_536;

/** The pid of the kernel's track: no process of Linux has one so high, and 0 has a meaning of its own in Perfetto. */
const KERNEL = (1 << 22) + 1;

type TraceEvent = Readonly<Record<string, unknown>>;

/** The JSON document. */
export async function* toPerfetto({ header, events }: Recording): AsyncGenerator<string> {
  const trace = new Trace();
  let text = `{"displayTimeUnit":"ms","otherData":${JSON.stringify({ program: header.program, node: header.node, stock: header.stock, started: header.started, cannotShow: header.cannotShow })},"traceEvents":[\n`;
  let first = true;
  const add = (list: readonly TraceEvent[]): void => {
    for (const event of list) {
      text += `${first ? '' : ',\n'}${JSON.stringify(event)}`;
      first = false;
    }
  };
  add(metadata(header));
  let last = 0;
  for await (const event of events) {
    last = event.at;
    add(trace.eventsOf(event));
    if (text.length < PIECE) continue;
    yield text;
    text = '';
  }
  add(trace.end(last));
  yield `${text}\n]}\n`;
}

function metadata({ processes }: RecordingHeader): TraceEvent[] {
  return processes.flatMap(({ pid, name, role }, index) => [
    { ph: 'M', name: 'process_name', pid, tid: 0, args: { name: `${printable(name)} (${printable(role)})` } },
    { ph: 'M', name: 'process_sort_index', pid, tid: 0, args: { sort_index: index } },
    { ph: 'M', name: 'thread_name', pid, tid: MESSAGES, args: { name: 'messages' } },
    { ph: 'M', name: 'thread_name', pid, tid: LOOP, args: { name: 'event loop' } },
  ]);
}

interface Span {
  readonly cat: string;
  readonly id: string;
  readonly name: string;
  readonly pid: number;
}

class Trace {
  /** The span that each connection or state is in. */
  readonly #open = new Map<string, Span>();

  eventsOf(event: RecordedEvent): TraceEvent[] {
    const ts = event.at / 1e3;
    const { pid } = event;
    const instant = (name: string, args: object = {}): TraceEvent[] => [{ ph: 'i', s: 'p', cat: event.kind, name: printable(name), pid, tid: MESSAGES, ts, args }];
    switch (event.kind) {
      case 'message': return message(event, ts);
      case 'connection': return this.#connection(event, ts);
      case 'state': return this.#state(event, ts);
      case 'loop': return loop(event, ts);
      case 'kernel': return kernel(event, ts);
      case 'process': return instant(event.event, { child: event.childName, code: event.code, signal: event.signal, reason: event.reason });
      case 'gap': return instant(`${event.missing ?? 'some'} events are missing (${event.why})`);
    }
  }

  /** Ends what is still open. */
  end(at: number): TraceEvent[] {
    return [...this.#open.values()].map((span) => ({ ph: 'e', ...span, tid: MESSAGES, ts: at / 1e3, args: { open: 'when the recording ended' } }));
  }

  /** The span of `key` becomes another one, or ends (null). */
  #become(key: string, ts: number, next: Span | null, args: object): TraceEvent[] {
    const before = this.#open.get(key);
    if (next === null) this.#open.delete(key);
    else this.#open.set(key, next);
    return [
      ...(before === undefined ? [] : [{ ph: 'e', ...before, tid: MESSAGES, ts }]),
      ...(next === null ? [] : [{ ph: 'b', ...next, tid: MESSAGES, ts, args }]),
    ];
  }

  #connection(event: ConnectionEvent, ts: number): TraceEvent[] {
    const { connection, pid, queue, inFlight, address } = event;
    const key = `connection ${connection}`;
    const { kind: _kind, at: _at, pid: _pid, ...args } = event;
    const span = (name: string): Span => ({ cat: 'connection', id: printable(connection), name: `${printable(connection)} ${name}`, pid });
    const counter: TraceEvent[] = queue === undefined ? [] : [{ ph: 'C', name: `connections at ${printable(address ?? '?')}`, pid, tid: 0, ts, args: { queued: queue, 'in flight': inFlight ?? 0 } }];
    switch (event.event) {
      case 'queued': case 'rejected': case 'unsent': case 'reclaimed': return [...this.#become(key, ts, span('queued'), args), ...counter];
      case 'handed off': return [...this.#become(key, ts, span('in flight'), args), ...counter];
      case 'delivered': case 'opened': return this.#become(key, ts, span('open'), args);
      case 'closed': return [...this.#become(key, ts, null, args), ...counter];
      default: return [{ ph: 'n', ...span(printable(event.event)), tid: MESSAGES, ts, args }, ...counter];
    }
  }

  #state(event: StateEvent, ts: number): TraceEvent[] {
    const { pid, of, what, to, name } = event;
    const id = printable(`${name} ${of} ${what}`);
    const isLast = to === 'dead' || to === 'closed' || to === 'failed';
    return this.#become(`state ${id}`, ts, isLast ? null : { cat: 'state', id, name: `${of} ${printable(what)}: ${stateText(event)}`, pid }, {});
  }
}

function message(event: MessageEvent, ts: number): TraceEvent[] {
  const { pid, way, id, from, to } = event;
  const { kind: _kind, at: _at, pid: _pid, wire: _wire, ...args } = event;
  const track = { pid, tid: MESSAGES, ts };
  const slice = { ph: 'X', cat: 'message', name: printable(`${way === 'sent' ? `→ ${to}` : `← ${from}`} ${messageText(event, false)}`), ...track, dur: WIDTH, args };
  // An arrow needs both ends: it is begun by the sender, and ended by the receiver if the sender was recorded.
  if (way === 'sent') return [slice, { ph: 's', cat: 'message', name: 'message', id: printable(id), ...track }];
  return event.sentAt === undefined ? [slice] : [slice, { ph: 'f', bp: 'e', cat: 'message', name: 'message', id: printable(id), ...track }];
}

function kernel({ address, socket, waiting }: KernelEvent, ts: number): TraceEvent[] {
  return [
    { ph: 'M', name: 'process_name', pid: KERNEL, tid: 0, args: { name: 'kernel' } },
    { ph: 'C', name: `accept queue of ${printable(address)}`, id: String(socket), pid: KERNEL, tid: 0, ts, args: { waiting } },
  ];
}

function loop({ pid, busy, delay }: LoopEvent, ts: number): TraceEvent[] {
  return [
    { ph: 'C', name: 'event loop busy', pid, tid: 0, ts, args: { percent: Math.round(busy * 100) } },
    ...(delay > 0 ? [{ ph: 'X', cat: 'loop', name: 'blocked', pid, tid: LOOP, ts: ts - delay / 1e3, dur: delay / 1e3 }] : []),
  ];
}
