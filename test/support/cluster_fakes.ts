/**
 * Workers that exist only in memory: a Peer over an object that looks like a process, and records
 * what it is sent.
 */
import { EventEmitter } from 'node:events';
import type { Dialect } from '../../internal/channel/channel_types';
import { Peer, type Outcome, type Source } from '../../internal/master/peer';
import { Scheduler } from '../../internal/master/scheduler';
import type { Candidate } from '../../internal/master/scheduling';
import type { QueryServer } from '../../internal/messages';
import type { NativeHandle } from '../../internal/native/bindings';
import type { Worker } from '../../internal/worker';

export interface Sent {
  readonly message: Record<string, unknown> & { seq: number };
  readonly handle: FakeHandle | undefined;
}

export type FakeHandle = NativeHandle & { closed?: boolean };

/** What a Peer and a Calls see of a ChildProcess. */
export class FakeProcess extends EventEmitter {
  connected = true;
  readonly sent: Sent[] = [];
  /** Null: each `send` calls its callback at once. An array: it collects the callbacks, and the test calls them later. */
  unwritten: ((error: Error | null) => void)[] | null = null;

  send(message: unknown, handle?: unknown, _options?: unknown, written?: (error: Error | null) => void): boolean {
    this.sent.push({ message: message as Sent['message'], handle: handle as FakeHandle | undefined });
    if (written !== undefined && this.unwritten !== null) this.unwritten.push(written);
    else written?.(null);
    return true;
  }
}

export class FakeWorker {
  readonly process = new FakeProcess();
  readonly peer: Peer;
  readonly id: number;

  constructor(id: number, dialect: Dialect = 'pipelined', weight = 1) {
    this.id = id;
    this.peer = new Peer({ id, process: this.process } as unknown as Worker, dialect, { weight });
  }

  /** A candidate of its own, for hand-offs that no scheduler has chosen. */
  candidate(): Candidate<Peer> {
    const scheduler = new Scheduler<Peer>();
    scheduler.add(this.peer, this.id, 16);
    return scheduler.next(new FakeConnection(0)) as Candidate<Peer>;
  }

  /** The connections that it was sent, in order. */
  get connections(): Sent[] {
    return this.process.sent.filter(({ message }) => message['act'] === 'newconn');
  }

  get handles(): FakeHandle[] {
    return this.connections.map(({ handle }) => handle as FakeHandle);
  }

  /** Acknowledges everything that it was sent. */
  acknowledgeAll(rejected: readonly number[] = []): void {
    const last = this.process.sent.at(-1);
    if (last) this.peer.acknowledge(last.message.seq, rejected);
  }

  /** Its channel ends, by its own doing or by the primary's. */
  lose(outcome: 'lost' | 'untold' = 'lost'): void {
    this.process.connected = false;
    this.peer.lose(outcome);
  }
}

/** A connection without a socket; it knows whether it was closed, and how often. */
export class FakeConnection implements NativeHandle {
  readonly fd: number;
  closes = 0;

  constructor(fd: number) {
    this.fd = fd;
  }

  close(): void {
    this.closes++;
  }

  ref(): void {}
  unref(): void {}
}

/** Hands connections off, and records how each hand-off ended. */
export class FakeSource implements Source {
  readonly outcomes: [connection: NativeHandle, outcome: Outcome, by: Peer][] = [];

  ended({ worker }: Candidate<Peer>, connection: NativeHandle, outcome: Outcome): void {
    this.outcomes.push([connection, outcome, worker]);
  }
}

/** What a worker asks when it listens on the loopback address. */
export function query(fields: Partial<QueryServer> = {}): QueryServer {
  return { act: 'queryServer', seq: 1, index: 0, data: null, address: '127.0.0.1', port: 0, addressType: 4, backlog: 0, flags: 0, ...fields };
}
