/**
 * Opens the shared state in a primary: a server, a session for each worker, and a client for the primary's own
 * program. This client talks to the server as a worker's does, but by function calls in place of a channel.
 *
 * Owns     its listeners on the cluster and on the workers' processes; `close` removes them
 * Used by  lib/shared_state.ts
 * Never    throws because a worker is gone: a message to it is lost with it
 * Never    lets an exception of the app (which may have wrapped `send`) interrupt the server: it is thrown again
 *          in the next tick
 * Keeps    1. the calls that a worker has sent before it died are done before its locks are free. So a session
 *             ends with the worker's channel, or LAST_CALLS_MS after its process if stock Node never reports the
 *             end of the channel, as when a handle was on its way (D4)
 *          2. a worker has one session in its life. If it was cut off, what it sends afterwards is not read
 * Node     uses only what is public: 'fork', 'disconnect', 'exit' and `workers` of the cluster, and `send` and the
 *          process of a worker; and the process's event 'internalMessage'
 */
import { Math, queueMicrotask } from '../../builtins';
import type { Cluster, Worker } from 'node:cluster';
import { SharedState } from '../client/api';
import { StateClient } from '../client/client';
import { machineClock } from '../../clock';
import { readClientMessage } from '../guards';
import { STATE, mostPending, type ClientMessage, type Limits } from '../protocol';
import { inheritanceHere, registerState, type SharedStateHere } from '../../upgrade/registry';
import { StateServer } from './server';
import { StateProxy, type StateService } from './proxy';
import type { Send } from './session';
import type { StateSnapshot } from './snapshot';
import { throwLater } from '../client/worker';

/** Milliseconds after the end of a worker's process in which its last calls are still read. They are in the pipe already, so this is ample. */
const LAST_CALLS_MS = 1000;

/** One worker. `listener`: receives its messages. */
interface Member { readonly server: StateService; readonly session: object; readonly listener: (value: unknown) => void }

/** Gives each worker of one cluster a session of the server, and ends it with the worker. */
class Members {
  readonly #cluster: Cluster;
  readonly #current: Current;
  readonly #members = new Map<Worker, Member>();
  /** For workers whose process has ended and whose channel has not: cancels the timer that ends the session. */
  readonly #exitTimers = new Map<Worker, () => void>();
  readonly #onFork = (worker: Worker): void => this.#add(worker);
  readonly #onDisconnect = (worker: Worker): void => this.#remove(worker);
  readonly #onExit = (worker: Worker): void => this.#endSoon(worker);

  constructor(cluster: Cluster, current: Current) {
    this.#cluster = cluster;
    this.#current = current;
    cluster.on('fork', this.#onFork);
    cluster.on('disconnect', this.#onDisconnect);
    cluster.on('exit', this.#onExit);
    for (const worker of Object.values(cluster.workers ?? {})) {
      if (worker !== undefined) this.#add(worker);
    }
  }

  /** Ends all sessions and removes all listeners. */
  end(): void {
    this.#cluster.removeListener('fork', this.#onFork);
    this.#cluster.removeListener('disconnect', this.#onDisconnect);
    this.#cluster.removeListener('exit', this.#onExit);
    for (const worker of [...this.#members.keys()]) this.#remove(worker);
  }

  #add(worker: Worker): void {
    if (this.#members.has(worker)) return;
    const { server } = this.#current;
    const session = server.connect(worker.id, sendTo(worker));
    const listener = (value: unknown): void => {
      const message = readClientMessage(value);
      if (message !== null) server.receive(session, message);
    };
    this.#members.set(worker, { server, session, listener });
    worker.process.on('internalMessage' as 'message', listener);
    server.announce(session);
  }

  #remove(worker: Worker): void {
    this.#exitTimers.get(worker)?.();
    this.#exitTimers.delete(worker);
    const member = this.#members.get(worker);
    if (member === undefined) return;
    this.#members.delete(worker);
    worker.process.removeListener('internalMessage', member.listener);
    member.server.end(member.session);
  }

  #endSoon(worker: Worker): void {
    if (!this.#members.has(worker)) return;
    if (!worker.isConnected()) return this.#remove(worker);
    this.#exitTimers.set(worker, machineClock.at(machineClock.now() + LAST_CALLS_MS, () => this.#remove(worker)));
  }
}

/** Sends to a worker. Returns true for a worker that is gone: nothing waits in front of it. */
const sendTo = (worker: Worker): Send => (message, written) => {
  if (!worker.isConnected()) return true;
  try {
    return worker.send({ cmd: STATE, ...message }, undefined, undefined, written);
  } catch (error) {
    throwLater(error);
    return true;
  }
};

/** What serves the shared state at the moment. Another one does when a primary that had the whole state has died. */
interface Current { server: StateService }

/** The processes of a primary that is about to replace this one use the shared state here, until it goes there. */
class StateForSuccessor implements SharedStateHere {
  readonly #current: Current;
  readonly #reopen: (snapshot: StateSnapshot) => void;
  readonly #processes = new Map<number, object>();
  /** What was given to the other primary; null: nothing was. */
  #given: StateSnapshot | null = null;

  /** `reopen`: goes on from a state that was given away, without the processes that had a part in it. */
  constructor(current: Current, reopen: (snapshot: StateSnapshot) => void) {
    this.#current = current;
    this.#reopen = reopen;
  }

  get #server(): StateService {
    return this.#current.server;
  }

  receive(key: number, id: number, message: unknown, reply: (message: object) => void): void {
    let remote = this.#processes.get(key);
    if (remote === undefined) {
      this.#processes.set(key, remote = this.#server.connect(id, (answer, written) => {
        reply(answer);
        written();
        return true;
      }));
    }
    if (message === null) {
      this.#processes.delete(key);
      return this.#server.end(remote);
    }
    const read = readClientMessage(typeof message === 'object' ? { cmd: STATE, ...message } : message);
    if (read !== null) this.#server.receive(remote, read);
  }

  endAll(): void {
    for (const remote of this.#processes.values()) this.#server.end(remote);
    this.#processes.clear();
    if (this.#given !== null) this.#reopen(this.#given);
    this.#given = null;
  }

  snapshot(): StateSnapshot | null {
    const keys = new Map([...this.#processes].map(([key, remote]) => [remote, key]));
    return this.#given = this.#server.snapshot((remote) => keys.get(remote));
  }
}

/** Opens the shared state in this primary. `timeoutMs`: of each call of the primary itself. `closed`: called when the app closes it. */
export function openInPrimary(cluster: Cluster, limits: Limits, timeoutMs: number, closed: () => void): SharedState {
  // A restarted primary must give greater versions and tokens than before, because a database may compare them. So the
  // first is the time in microseconds: no primary gives out a million a second.
  const openServer = (snapshot: StateSnapshot | null): StateServer => new StateServer(machineClock, limits, snapshot?.revision ?? Date.now() * 1000, ({ id }) => {
    process.emitWarning(`Worker ${id} has been cut off from the shared state: it had more than ${mostPending(limits)} unanswered calls, `
      + `far more than limits.pendingCalls (${limits.pendingCalls}) allows`, { code: 'SHARED_STATE_CUT_OFF' });
  });
  const current: Current = { server: inheritanceHere() === null ? openServer(null) : new StateProxy(openServer) };
  const unregister = registerState(new StateForSuccessor(current, (snapshot) => {
    // The other primary may have gone on from it: no version comes twice.
    const server = openServer({ ...snapshot, revision: Math.max(snapshot.revision, Date.now() * 1000) });
    server.restore(snapshot, () => null);
    current.server = server;
    own = connectOwn();
    current.server.announce(own);
  }));

  // An answer to the primary itself comes in the next turn of the event loop, as it would over a channel. If it came at
  // once, a loop of `await state.get(…)` in the primary would never let it read the messages of its workers.
  const connectOwn = (): object => current.server.connect(0, (message, written) => {
    machineClock.soon(() => {
      written();
      client.receive({ cmd: STATE, ...message });
    });
    return false;
  });
  let own = connectOwn();
  const client = new StateClient(machineClock, (message: ClientMessage) => queueMicrotask(() => current.server.receive(own, message)), { hold: true, timeoutMs });
  client.hello();
  const members = new Members(cluster, current);

  let open = true;
  return new SharedState(client, () => {
    if (!open) return;
    open = false;
    unregister();
    current.server.close();
    members.end();
    closed();
    client.close(); // Last, because it calls abort listeners of the app, which may open the shared state again.
  });
}
