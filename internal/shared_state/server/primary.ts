/**
 * The shared state in a primary: the server, a session for each worker, and the primary's own client,
 * which speaks to the server as a worker does, only without a pipe.
 *
 * Owns     its listeners on the cluster and on the workers' processes; `close` takes them away
 * Used by  lib/shared_state.ts
 * Never    dies of what a worker does: what cannot be sent to a worker that goes is lost with it
 * Never    lets an exception of the application (a `send` that was wrapped) break off a loop of the
 *          server: it is thrown again in a tick of its own
 * Keeps    1. what a worker said before it died is done before its leases are free: its session ends
 *             with its channel, and with its process only where the channel's end is never told
 *             (stock Node, a handle on its way: D4)
 *          2. a worker has one session, also after it was cut off: what it sends then is not read
 * Node     uses the public cluster object alone: 'fork', 'disconnect', 'exit', `workers`, and of a
 *          worker `send` and its process's 'internalMessage'
 */
import { queueMicrotask } from '../../builtins';
import type { Cluster, Worker } from 'node:cluster';
import { SharedState } from '../client/api';
import { StateClient } from '../client/client';
import { machineClock } from '../../clock';
import { readClientMessage } from '../guards';
import { STATE, mostPending, type ClientMessage, type Limits } from '../protocol';
import { StateServer } from './server';
import type { Send, Session } from './session';
import { throwLater } from '../client/worker';

/** How long after its process a worker's channel may tell its end, in milliseconds. */
const LAST_WORDS = 1000;

interface Member { readonly session: Session; readonly listener: (value: unknown) => void }

/** The workers of one cluster, as the server's sessions. */
class Members {
  readonly #cluster: Cluster;
  readonly #server: StateServer;
  readonly #members = new Map<Worker, Member>();
  /** Workers whose process has ended before their channel has. */
  readonly #lastWords = new Map<Worker, () => void>();
  readonly #join = (worker: Worker): void => this.#joins(worker);
  readonly #leave = (worker: Worker): void => this.#leaves(worker);
  readonly #exited = (worker: Worker): void => this.#exits(worker);

  constructor(cluster: Cluster, server: StateServer) {
    this.#cluster = cluster;
    this.#server = server;
    cluster.on('fork', this.#join);
    cluster.on('disconnect', this.#leave);
    cluster.on('exit', this.#exited);
    for (const worker of Object.values(cluster.workers ?? {})) {
      if (worker !== undefined) this.#joins(worker);
    }
  }

  /** Takes everything away. */
  end(): void {
    this.#cluster.removeListener('fork', this.#join);
    this.#cluster.removeListener('disconnect', this.#leave);
    this.#cluster.removeListener('exit', this.#exited);
    for (const worker of [...this.#members.keys()]) this.#leaves(worker);
  }

  #joins(worker: Worker): void {
    if (this.#members.has(worker)) return;
    const session = this.#server.connect(worker.id, sendTo(worker));
    const listener = (value: unknown): void => {
      const message = readClientMessage(value);
      if (message !== null) this.#server.receive(session, message);
    };
    this.#members.set(worker, { session, listener });
    worker.process.on('internalMessage' as 'message', listener);
    this.#server.announce(session);
  }

  #leaves(worker: Worker): void {
    this.#lastWords.get(worker)?.();
    this.#lastWords.delete(worker);
    const member = this.#members.get(worker);
    if (member === undefined) return;
    this.#members.delete(worker);
    worker.process.removeListener('internalMessage', member.listener);
    this.#server.end(member.session);
  }

  #exits(worker: Worker): void {
    if (!this.#members.has(worker)) return;
    if (!worker.isConnected()) return this.#leaves(worker);
    this.#lastWords.set(worker, machineClock.at(machineClock.now() + LAST_WORDS, () => this.#leaves(worker)));
  }
}

/** Sends to a worker; a worker that is gone reads nothing, and keeps nothing waiting. */
const sendTo = (worker: Worker): Send => (message, written) => {
  if (!worker.isConnected()) return true;
  try {
    return worker.send({ cmd: STATE, ...message }, undefined, undefined, written);
  } catch (error) {
    throwLater(error);
    return true;
  }
};

/** Opens the shared state of this primary. `closed` is called when it is closed. */
export function openInPrimary(cluster: Cluster, limits: Limits, timeoutMs: number, closed: () => void): SharedState {
  // Versions and tokens go on growing when this primary is another life of an earlier one, so that
  // a database can compare them. A million a second is more than any primary gives out.
  const server = new StateServer(machineClock, limits, Date.now() * 1000, ({ id }) => {
    process.emitWarning(`Worker ${id} had more than ${mostPending(limits)} calls of the shared state unanswered, `
      + `far more than limits.pendingCalls allows (${limits.pendingCalls}): it was cut off from the shared state`, { code: 'SHARED_STATE_CUT_OFF' });
  });

  // The primary's own. An answer takes a turn of the event loop, as it would over a pipe: a loop of
  // calls in the primary would keep it from hearing its workers otherwise.
  const own = server.connect(0, (message, written) => {
    machineClock.soon(() => {
      written();
      client.receive({ cmd: STATE, ...message });
    });
    return false;
  });
  const client = new StateClient(machineClock, (message: ClientMessage) => queueMicrotask(() => server.receive(own, message)), { hold: true, timeoutMs });
  client.hello();
  const members = new Members(cluster, server);

  let open = true;
  return new SharedState(client, () => {
    if (!open) return;
    open = false;
    server.close();
    members.end();
    closed();
    client.close(); // Last: it calls abort listeners of the application, which may open it anew.
  });
}
