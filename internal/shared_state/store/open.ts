/**
 * Opens the shared state over a store that the program brings. Each process has its own client and session, and they
 * meet in the store alone: neither the cluster nor its channels have a part in it.
 *
 * Used by  lib/shared_state.ts
 * Uses     session.ts
 * Never    closes the store: it belongs to the program
 */
import { machineClock } from '../../clock';
import { invalidArgType, invalidArgValue } from '../../errors';
import { checkObject } from '../../validate';
import { SharedState } from '../client/api';
import { StateClient } from '../client/client';
import type { Limits } from '../protocol';
import { storeMethods, type SharedStore } from './contract';
import { StoreSession } from './session';

/** The limits that each process can keep by itself. The others count what all processes have, which only a primary knows. */
const OWN_LIMITS: readonly string[] = ['keyBytes', 'valueBytes', 'watches', 'pendingCalls'] satisfies (keyof Limits)[];

/** Throws ERR_INVALID_ARG_TYPE unless the value has the methods of a store, ERR_INVALID_ARG_VALUE for a limit that nobody would keep. */
export function checkStore(store: SharedStore, limits: Partial<Limits> | undefined): void {
  checkObject('options.store', store);
  for (const name of storeMethods) {
    if (typeof store[name] !== 'function') throw invalidArgType(`options.store.${name}`, 'of type function', store[name]);
  }
  for (const [name, value] of Object.entries(limits ?? {})) {
    if (value !== undefined && !OWN_LIMITS.includes(name)) {
      throw invalidArgValue(`options.limits.${name}`, value, `cannot be set with a store: nobody would keep it. With a store there are only ${OWN_LIMITS.join(', ')}`);
    }
  }
}

/** Opens the shared state over a store in this process. `timeoutMs`: of each call. `closed`: called when the app closes it. */
export function openOverStore(store: SharedStore, limits: Limits, timeoutMs: number, closed: () => void): SharedState {
  const client = new StateClient(machineClock, (message) => session.receive(message), { hold: true, timeoutMs, server: 'The store' });
  const session = new StoreSession(store, machineClock, limits, () => client);
  client.hello();
  return new SharedState(client, () => {
    if (client.ended) return;
    closed();
    client.close(); // Last, because it calls abort listeners of the app, which may open the shared state again.
  });
}
