/**
 * The shared state in a primary: the server, a session for each worker, and the primary's own client,
 * which speaks to the server as a worker does, only without a pipe.
 *
 * Owns     its listeners on the cluster and on the workers' processes; `close` takes them away
 * Used by  lib/shared_state.ts
 * Never    dies of what a worker does: what cannot be sent to a worker that goes is lost with it
 * Keeps    1. what a worker said before it died is done before its leases are free: its session ends
 *             with its channel, and with its process only where the channel's end is never told
 *             (stock Node, a handle on its way: D4)
 * Node     uses the public cluster object alone: 'fork', 'disconnect', 'exit', `workers`, and of a
 *          worker `send` and its process's 'internalMessage'
 */
import type { Cluster, Worker } from 'node:cluster';
import { SharedState } from './api';
import { StateClient } from './client';
import { clock } from './clock';
import { STATE, readClientMessage, type ClientMessage, type Limits, type ServerMessage } from './protocol';
import { StateServer, type Session } from './server';

/** How long after its process a worker's channel may tell its end, in milliseconds. */
const LAST_WORDS = 1000;

const nothing = (): void => undefined;

/** Opens the shared state of this primary. `closed` is called when it is closed. */
export function openInPrimary(cluster: Cluster, limits: Limits, timeoutMs: number, closed: () => void): SharedState {
  // Versions and tokens go on growing when this primary is another life of an earlier one, so that
  // a database can compare them. A million a second is more than any primary gives out.
  const server = new StateServer(clock, limits, Date.now() * 1000);
  const sessions = new Map<Worker, { session: Session; listener: (value: unknown) => void }>();
  const timers = new Set<() => void>();

  const join = (worker: Worker): void => {
    if (sessions.has(worker)) return;
    const session = server.connect(worker.id, (message) => {
      if (worker.isConnected()) worker.send({ cmd: STATE, ...message }, undefined, undefined, nothing);
    });
    const listener = (value: unknown): void => {
      const message = readClientMessage(value);
      if (message !== null) server.receive(session, message);
    };
    sessions.set(worker, { session, listener });
    worker.process.on('internalMessage' as 'message', listener);
    server.announce(session);
  };
  const leave = (worker: Worker): void => {
    const joined = sessions.get(worker);
    if (joined === undefined) return;
    sessions.delete(worker);
    worker.process.removeListener('internalMessage', joined.listener);
    server.end(joined.session);
  };
  const exited = (worker: Worker): void => {
    if (!worker.isConnected()) return leave(worker);
    const cancel = clock.at(clock.now() + LAST_WORDS, () => {
      timers.delete(cancel);
      leave(worker);
    });
    timers.add(cancel);
  };

  cluster.on('fork', join);
  cluster.on('disconnect', leave);
  cluster.on('exit', exited);

  // The primary's own. An answer takes a turn of the event loop, as it would over a pipe: a loop of
  // calls in the primary would keep it from hearing its workers otherwise.
  const toClient = (message: ServerMessage): void => clock.soon(() => client.receive({ cmd: STATE, ...message }));
  const own = server.connect(0, toClient);
  const client = new StateClient(clock, (message: ClientMessage) => queueMicrotask(() => server.receive(own, message)), { hold: true, timeoutMs });
  client.hello();
  for (const worker of Object.values(cluster.workers ?? {})) {
    if (worker !== undefined) join(worker);
  }

  return new SharedState(client, () => {
    if (client.ended) return;
    client.close();
    cluster.removeListener('fork', join);
    cluster.removeListener('disconnect', leave);
    cluster.removeListener('exit', exited);
    server.close();
    for (const worker of [...sessions.keys()]) leave(worker);
    for (const cancel of timers) cancel();
    closed();
  });
}
