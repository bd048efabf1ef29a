/**
 * Opens the shared state in a worker: a client that talks to the server over the worker's channel.
 *
 * Owns     two listeners: for 'internalMessage' on the process (it does not keep the process alive), and for 'disconnect'
 *          on the worker
 * Used by  lib/shared_state.ts; server/primary.ts uses `throwLater`
 * Node     uses nothing private: only `cluster.worker` with its methods, its process and its 'disconnect', and the
 *          process's event 'internalMessage'
 */
import type { Cluster, Worker } from 'node:cluster';
import { SharedState } from './api';
import { StateClient } from './client';
import { machineClock } from '../../clock';
import { STATE } from '../protocol';

const nothing = (): void => undefined;

/** Throws an exception of the app in the next tick, as an uncaught exception, so that it does not interrupt this code. */
export function throwLater(error: unknown): void {
  process.nextTick(() => { throw error; });
}

/** Opens the shared state in this worker. `timeoutMs`: of each call. `closed`: called when the app closes it. */
export function openInWorker(cluster: Cluster, timeoutMs: number, closed: () => void): SharedState {
  const worker = cluster.worker as Worker;
  const client = new StateClient(machineClock, (message) => {
    if (!worker.isConnected()) return;
    try {
      worker.send({ cmd: STATE, ...message }, undefined, undefined, nothing);
    } catch (error) {
      throwLater(error); // `send` itself does not throw: the app has wrapped it.
    }
  }, { hold: false, timeoutMs });
  const listener = (value: unknown): void => client.receive(value);
  const disconnected = (): void => {
    forget();
    client.end('ERR_SHARED_STATE_DISCONNECTED', 'The channel to the primary has ended', worker.exitedAfterDisconnect === true);
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
    client.close(); // Last, because it calls abort listeners of the app, which may open the shared state again.
  });
}
