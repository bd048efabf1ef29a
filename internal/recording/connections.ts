/**
 * Follows each connection through all processes: gives it an id, and makes its events of what the primary and the
 * workers have recorded.
 *
 * An id never travels. The primary's recorder names a connection by its fd, which is one connection's from accept until
 * the primary closes its copy. The hand-off has a number (`seq` of its newconn), which the worker's recorder sees, too,
 * together with the fd of the worker's copy. So fd in the primary → (worker, seq) → fd in the worker.
 *
 * Owns     the tables of one recording
 * Used by  interpreter.ts
 * Keeps    a connection is in the tables until its last holder has closed it
 */
import type { ConnectionEvent, Made } from './format';
import { number, text, type Line } from './part_lines';
import type { Known } from './processes';

/** One connection. */
export interface Connection {
  readonly id: string;
  address: string | null;
  place: 'queued' | 'in flight' | 'the worker\'s' | 'returned';
  /** The worker that it was handed to, and the number of that hand-off. */
  to: Known | null;
  seq: number;
  /** Has the worker answered that hand-off? */
  answered: boolean;
  client: string | undefined;
  /** The fd of the primary's copy. */
  fd: number;
  /** The worker's fd. */
  workerFd: number;
  /** The process that has a socket for it. */
  holder: Known | null;
}

type Event = Made<ConnectionEvent>;

interface Counts {
  queue: number;
  inFlight: number;
}

/** What one process holds. */
class Holder {
  readonly byFd = new Map<number, Connection>();
  /** By the index of the process's socket. */
  readonly sockets = new Map<number, Connection>();
  /** The connections that this worker has not acknowledged, by `seq` of the hand-off. */
  readonly inFlight = new Map<number, Connection>();
  own = 0;
}

/** All connections of one recording. */
export class Connections {
  readonly #holders = new Map<Known, Holder>();
  readonly #counts = new Map<string, Counts>();
  #count = 0;

  #of(process: Known): Holder {
    let holder = this.#holders.get(process);
    if (holder === undefined) this.#holders.set(process, holder = new Holder());
    return holder;
  }

  #countsOf(address: string | null): Counts {
    let counts = this.#counts.get(address ?? '');
    if (counts === undefined) this.#counts.set(address ?? '', counts = { queue: 0, inFlight: 0 });
    return counts;
  }

  #new(id: string, address: string | null): Connection {
    return { id, address, place: 'queued', to: null, seq: -1, answered: false, client: undefined, fd: -1, workerFd: -1, holder: null };
  }

  // ── hand-offs, from the messages ───────────────────────────────────────────────────────────────

  /**
   * A primary sends a connection: the event of the hand-off. Null if it is sent again with the same number, as in the
   * dialect node if the worker has refused the fd. A stock primary records no queue, so there the connection begins here.
   */
  handOff(primary: Known, worker: Known | undefined, seq: number, fd: number, key: string | null): { connection: Connection; event: Event | null } {
    const { byFd } = this.#of(primary);
    let connection = byFd.get(fd);
    if (connection !== undefined && connection.to === worker && connection.seq === seq) return { connection, event: null };
    connection ??= this.#new(`c${++this.#count}`, key);
    const counts = this.#countsOf(connection.address);
    if (connection.place === 'queued' && primary.ours) counts.queue--;
    counts.inFlight++;
    Object.assign(connection, { to: worker ?? null, seq, answered: false, fd, place: 'in flight' } satisfies Partial<Connection>);
    byFd.set(fd, connection);
    if (worker !== undefined) this.#of(worker).inFlight.set(seq, connection);
    return { connection, event: this.#event('handed off', connection, fd, { to: worker?.name, derived: primary.ours ? undefined : true }) };
  }

  /** A worker has got a hand-off. */
  arrived(worker: Known, seq: number, fd: number): Connection | undefined {
    const holder = this.#of(worker);
    const connection = holder.inFlight.get(seq);
    if (connection !== undefined && fd >= 0) {
      holder.byFd.set(fd, connection);
      connection.workerFd = fd;
    }
    return connection;
  }

  /** The hand-offs that an `accepted` answers: those up to this number that no earlier one has answered. */
  answered(worker: Known, upTo: number): Connection[] {
    const answered: Connection[] = [];
    for (const [seq, connection] of this.#of(worker).inFlight) {
      if (seq > upTo || connection.answered) continue;
      connection.answered = true;
      answered.push(connection);
    }
    return answered;
  }

  /** The hand-off that a reply of a worker answers. */
  replied(worker: Known, seq: number): Connection | undefined {
    return this.#of(worker).inFlight.get(seq);
  }

  /** The connection of an fd in a process, for a message that carries it. */
  at(process: Known, fd: number): Connection | undefined {
    return this.#of(process).byFd.get(fd);
  }

  /** A process has got this connection under this fd. */
  moved(process: Known, fd: number, connection: Connection): void {
    this.#of(process).byFd.set(fd, connection);
  }

  /** A primary has got the answer to hand-offs of a worker. Those that were rejected it records itself, unless it is a stock one. */
  acknowledged(primary: Known, connection: Connection, accepted: boolean): Event | null {
    if (connection.place !== 'in flight' || (!accepted && primary.ours)) return null;
    const to = connection.to?.name;
    this.#release(primary, connection);
    if (accepted) {
      connection.place = 'the worker\'s';
    } else {
      connection.place = 'queued';
      connection.to = null;
      this.#of(primary).byFd.set(connection.fd, connection);
    }
    return this.#event(accepted ? 'acknowledged' : 'rejected', connection, connection.fd, { to, derived: primary.ours ? undefined : true });
  }

  /** The hand-offs of a worker that are in flight, up to a number. */
  inFlight(worker: Known, upTo: number): Connection[] {
    return [...this.#of(worker).inFlight.values()].filter(({ seq }) => seq <= upTo);
  }

  /** Takes a connection out of what is in flight from this primary. */
  #release(primary: Known, connection: Connection): void {
    if (connection.to !== null) this.#of(connection.to).inFlight.delete(connection.seq);
    this.#countsOf(connection.address).inFlight--;
    const { byFd } = this.#of(primary);
    if (byFd.get(connection.fd) === connection) byFd.delete(connection.fd);
  }

  // ── lines of the processes ─────────────────────────────────────────────────────────────────────

  /** What has happened to a handle (`h`); null if it is no connection. */
  handle(process: Known, line: Line): Event | null {
    const event = text(line, 'e');
    const fd = number(line, 'fd', -1);
    const address = text(line, 'a');
    return process.role === 'worker' ? this.#inWorker(process, event, fd, line) : this.#inPrimary(process, event, fd, address);
  }

  #inPrimary(primary: Known, event: string, fd: number, address: string): Event | null {
    const { byFd } = this.#of(primary);
    let connection = byFd.get(fd);
    const counts = this.#countsOf(address);
    if (event === 'queued') {
      if (connection?.place !== 'returned') byFd.set(fd, connection = this.#new(`c${++this.#count}`, address));
      connection.place = 'queued';
      connection.fd = fd;
      counts.queue++;
      return this.#event(event, connection, fd);
    }
    if (connection === undefined) return null;
    const to = connection.to?.name;
    switch (event) {
      case 'given up':
        if (connection.place === 'in flight') this.#release(primary, connection);
        connection.place = 'the worker\'s';
        return this.#event(event, connection, fd, { to });
      case 'rejected':
      case 'unsent':
      case 'reclaimed':
        if (connection.place === 'in flight') this.#release(primary, connection);
        byFd.set(fd, connection);
        connection.place = 'queued';
        connection.to = null;
        counts.queue++;
        return this.#event(event, connection, fd, { to });
      case 'returned':
        connection.place = 'returned';
        connection.holder = null;
        return this.#event(event, connection, fd);
      case 'closed':
        if (connection.place === 'queued') counts.queue--;
        byFd.delete(fd);
        return this.#event(event, connection, fd, { by: 'primary' });
      default:
        return this.#event(event, connection, fd, { to });
    }
  }

  #inWorker(worker: Known, event: string, fd: number, line: Line): Event | null {
    const holder = this.#of(worker);
    const connection = holder.byFd.get(fd);
    if (connection === undefined) return null;
    if (event === 'closed') {
      holder.byFd.delete(fd);
      return this.#event('dropped', connection, fd, {}, true);
    }
    if (event === 'delivered') {
      connection.holder = worker;
      holder.sockets.set(number(line, 'i', -1), connection);
    }
    return this.#event(event, connection, fd, {}, true);
  }

  /** A server of this process has a socket (`o`). */
  opened(process: Known, line: Line): Event {
    const holder = this.#of(process);
    const fd = number(line, 'fd', -1);
    let connection = holder.sockets.get(number(line, 'i', -1));
    // In a stock worker nothing records the delivery.
    const arrived = holder.byFd.get(fd);
    if (arrived?.to === process && arrived.holder === null) connection ??= arrived;
    if (connection === undefined) {
      // It has accepted this connection itself.
      connection = this.#new(`${process.name}-c${++holder.own}`, null);
      connection.workerFd = fd;
      connection.place = 'the worker\'s';
      if (fd >= 0) holder.byFd.set(fd, connection);
    }
    connection.holder = process;
    connection.client = text(line, 'client') || undefined;
    holder.sockets.set(number(line, 'i', -1), connection);
    return this.#event('opened', connection, fd, { client: connection.client }, true);
  }

  /** A socket of this process has closed (`c`). */
  closed(process: Known, line: Line): Event | null {
    const holder = this.#of(process);
    const index = number(line, 'i', -1);
    const connection = holder.sockets.get(index);
    if (connection === undefined) return null;
    holder.sockets.delete(index);
    if (holder.byFd.get(connection.workerFd) === connection) holder.byFd.delete(connection.workerFd);
    // It was given back before: only this process's copy is closed.
    if (connection.holder !== process) return this.#event('let go', connection, connection.workerFd, {}, true);
    connection.holder = null;
    const by = text(line, 'by');
    return this.#event('closed', connection, connection.workerFd, {
      by: by === 'client' || by === 'error' ? by : process.role === 'worker' ? 'worker' : 'primary', client: connection.client, bytesRead: number(line, 'in', 0), bytesWritten: number(line, 'out', 0),
    }, true);
  }

  /** A process has ended: the kernel has closed what it held alone. What is in flight has another copy, in the primary. */
  processEnded(process: Known): Event[] {
    const holder = this.#holders.get(process);
    if (holder === undefined) return [];
    const held = new Set([...holder.sockets.values()].filter((one) => one.holder === process));
    if (process.role !== 'worker') for (const one of holder.byFd.values()) if (one.place !== 'the worker\'s') held.add(one);
    holder.sockets.clear();
    holder.byFd.clear();
    return [...held].map((one) => this.#event('closed', one, one.workerFd, { by: 'process ended', client: one.client, derived: true }, true));
  }

  #event(event: string, connection: Connection, fd: number, more: { [Name in 'to' | 'client' | 'by' | 'bytesRead' | 'bytesWritten' | 'derived']?: Event[Name] | undefined } = {}, inWorker = false): Event {
    const { to, client, by, bytesRead, bytesWritten, derived } = more;
    const counts = connection.address === null || inWorker ? null : this.#counts.get(connection.address);
    return {
      kind: 'connection', event, connection: connection.id, address: connection.address, fd,
      ...(to === undefined ? {} : { to }), ...(counts ? { queue: counts.queue, inFlight: counts.inFlight } : {}),
      ...(client === undefined ? {} : { client }), ...(by === undefined ? {} : { by }), ...(bytesRead === undefined ? {} : { bytesRead }),
      ...(bytesWritten === undefined ? {} : { bytesWritten }), ...(derived === undefined ? {} : { derived }),
    };
  }
}
