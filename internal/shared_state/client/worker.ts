/**
 * The shared state in a worker: a client that speaks over the worker's channel.
 *
 * Owns     one listener to 'internalMessage', which keeps no process alive, and one to the
 *          worker's 'disconnect'
 * Used by  lib/shared_state.ts; server/primary.ts uses `throwLater`
 * Node     uses the public cluster object alone: `worker`, its `send`, its 'disconnect', its process
 */
import type { Cluster, Worker } from 'node:cluster';
import { SharedState } from './api';
import { StateClient } from './client';
import { machineClock } from '../../clock';
import { STATE } from '../protocol';

const nothing = (): void => undefined;

/** The application's own exception, out of our way: it is uncaught in a tick of its own. */
export function throwLater(error: unknown): void {
  process.nextTick(() => { throw error; });
}

/** Opens the shared state in this worker. `closed` is called when it is closed. */
export function openInWorker(cluster: Cluster, timeoutMs: number, closed: () => void): SharedState {
  const worker = cluster.worker as Worker;
  const client = new StateClient(machineClock, (message) => {
    if (!worker.isConnected()) return;
    try {
      worker.send({ cmd: STATE, ...message }, undefined, undefined, nothing);
    } catch (error) {
      throwLater(error); // Somebody has wrapped `send`.
    }
  }, { hold: false, timeoutMs });
  const listener = (value: unknown): void => client.receive(value);
  const disconnected = (): void => {
    forget();
    client.end('ERR_SHARED_STATE_DISCONNECTED', 'The channel with the primary has ended', worker.exitedAfterDisconnect === true);
  };
  const forget = (): void => {
    worker.process.removeListener('internalMessage', listener);
    worker.removeListener('disconnect', disconnected);
  };
  if (worker.isConnected()) {
    worker.process.on('internalMessage' as 'message', listener);
    worker.on('disconnect', disconnected);
    client.hello();
  } else {
    disconnected();
  }
  return new SharedState(client, () => {
    if (client.ended) return;
    forget();
    closed();
    client.close(); // Last: it calls abort listeners of the application, which may open it anew.
  });
}
