/**
 * Turns the lines of all part files, in order of their time, into the events of a recording.
 *
 * Used by  merge.ts
 * Uses     connections.ts, messages.ts (what a line means for them), sources.ts (where our code does that)
 * Never    fails because of a line: one that makes no sense gives no event
 */
import { Connections } from './connections';
import type { ConnectionEvent, GapEvent, KernelEvent, Made, MessageEvent, ProcessEvent, RecordedEvent, StateEvent } from './format';
import { Messages } from './messages';
import { number, text, type Line } from './part_lines';
import type { Numbered } from './parts';
import type { Known, Processes } from './processes';
import { sourceOf } from './sources';

type AnyMade = Made<ProcessEvent> | Made<MessageEvent> | Made<ConnectionEvent> | Made<StateEvent> | Made<GapEvent> | Made<KernelEvent> | { readonly kind: 'loop'; readonly busy: number; readonly delay: number };

/** Where the events go. */
export type EventSink = (event: RecordedEvent) => void;

/** Interprets one recording. */
export class Interpreter {
  readonly #processes: Processes;
  readonly #connections = new Connections();
  readonly #messages: Messages;
  readonly #sink: EventSink;
  /** The states of the workers of stock primaries, which record none. */
  readonly #stockStates = new Map<Known, string>();

  constructor(processes: Processes, sink: EventSink) {
    this.#processes = processes;
    this.#messages = new Messages(processes, this.#connections);
    this.#sink = sink;
  }

  /** Takes the next line of a process, or a hole between its lines. `at`: the time of the hole. */
  take(process: Known, entry: Numbered, at: number): void {
    // The start of the process is its event 0, and has no number in the part file.
    if ('line' in entry) this.#line(process, entry.line, entry.line.k === 'S' ? 0 : entry.seq + 1);
    else this.#emit(process, at, entry.seq + 1, { kind: 'gap', missing: entry.missing, why: entry.why });
  }

  #line(process: Known, line: Line, seq: number): void {
    const emit = (made: AnyMade | null): void => {
      if (made !== null) this.#emit(process, line.t, seq, made);
    };
    switch (line.k) {
      case 'S': {
        const argv = Array.isArray(line['argv']) ? line['argv'].map(String) : [];
        return emit({ kind: 'process', event: 'start', ...(process.parent === null ? {} : { parent: process.parent }), node: process.node, argv });
      }
      case 'f': return this.#forked(process, line, seq);
      case 'e': return this.#childEnded(process, line, seq);
      case 'x': return this.#ended(process, line.t, seq, 'itself');
      case 'z':
        emit({ kind: 'process', event: 'cut off', reason: text(line, 'reason') });
        return emit({ kind: 'gap', missing: Math.max(0, number(line, 'seq', 0) - seq + 1), why: 'cut off' });
      case 's':
      case 'r': {
        const [message, ...others] = this.#messages.make(process, line);
        this.#deriveOnline(message, line, seq);
        emit(message);
        others.forEach(emit);
        return this.#stockState(process, line, seq, message);
      }
      case 'h': return emit(this.#connections.handle(process, line));
      case 'o': return emit(this.#connections.opened(process, line));
      case 'c': return emit(this.#connections.closed(process, line));
      case 't': {
        const why = text(line, 'y');
        return emit({ ...stateOf(text(line, 'w'), text(line, 'f'), text(line, 'o')), ...(why === '' ? {} : { why }) });
      }
      case 'l': return emit({ kind: 'loop', busy: number(line, 'busy', 0), delay: number(line, 'delay', 0) });
      case 'q': return emit({ kind: 'kernel', address: text(line, 'a'), socket: number(line, 'i', 0), waiting: number(line, 'n', 0) });
      default: return;
    }
  }

  #forked(process: Known, line: Line, seq: number): void {
    const child = number(line, 'pid', 0);
    const worker = number(line, 'worker', null);
    const known = worker === null ? this.#processes.byPid(child, line.t) : this.#processes.workerOf(process, worker);
    this.#emit(process, line.t, seq, { kind: 'process', event: 'fork', child, childName: known?.name ?? `X${child}`, childWorker: worker });
  }

  #childEnded(process: Known, line: Line, seq: number): void {
    const pid = number(line, 'pid', 0);
    const child = this.#processes.byPid(pid, line.t);
    const code = number(line, 'code', null);
    const signal = text(line, 'signal') || null;
    this.#emit(process, line.t, seq, { kind: 'process', event: 'child exit', child: pid, childName: child?.name ?? `X${pid}`, code, signal });
    if (child === undefined || child.parent !== process.pid) return;
    if (!child.saidExit) this.#ended(child, line.t, seq, 'parent');
    if (!process.ours && child.worker !== null) this.#derive(process, child, line.t, seq, 'dead');
  }

  #ended(process: Known, at: number, seq: number, seenBy: 'itself' | 'parent'): void {
    this.#emit(process, at, seq, { kind: 'process', event: 'exit', code: process.code, signal: process.signal, seenBy, ...(seenBy === 'parent' ? { derived: true } : {}) });
    for (const event of this.#connections.processEnded(process)) this.#emit(process, at, seq, event);
    this.#messages.processEnded(process);
  }

  #deriveOnline(message: Made<MessageEvent>, line: Line, seq: number): void {
    const online = this.#messages.derivedOnline(message);
    const worker = online === null ? undefined : this.#processes.all.find((one) => one.name === online.from);
    if (online !== null && worker !== undefined) this.#emit(worker, line.t, seq, online);
  }

  /** A stock primary records no states: they follow from the messages of its workers. */
  #stockState(process: Known, line: Line, seq: number, { act, way, from }: Made<MessageEvent>): void {
    if (process.ours || way !== 'received' || (act !== 'online' && act !== 'listening')) return;
    const worker = this.#processes.all.find((one) => one.name === from);
    if (worker !== undefined) this.#derive(process, worker, line.t, seq, act);
  }

  #derive(primary: Known, worker: Known, at: number, seq: number, to: string): void {
    const from = this.#stockStates.get(worker) ?? 'none';
    this.#stockStates.set(worker, to);
    this.#emit(primary, at, seq, { kind: 'state', of: 'worker', what: worker.name, from, to, derived: true });
  }

  #emit(process: Known, at: number, seq: number, made: AnyMade): void {
    const { pid, name, role, worker } = process;
    const source = process.ours && !('derived' in made) ? sourceOf(made, role) : undefined;
    const { kind, ...rest } = made;
    this.#sink({ at, pid, name, role, worker, seq, kind, ...rest, ...(source === undefined ? {} : { source }) } as RecordedEvent);
  }
}

/** The event of a change of state. The trace names whose state it is by one text. */
function stateOf(what: string, from: string, to: string): Made<StateEvent> {
  if (/^W\d+$/.test(what)) return { kind: 'state', of: 'worker', what, from, to };
  // Its query was refused, or its own accepting has paused (child/accept_pause.ts).
  if (/^W\d+ at /.test(what)) return { kind: 'state', of: to === 'refused' ? 'query' : 'acceptor', what, from, to };
  if (what.startsWith('channel ')) return { kind: 'state', of: 'channel', what: what.slice('channel '.length), from, to };
  if (what.endsWith(' accept')) return { kind: 'state', of: 'acceptor', what: what.slice(0, -' accept'.length), from, to };
  return { kind: 'state', of: 'address', what, from, to };
}
