/**
 * `net.BoundSocket`: Node has them from 24 on, and sends them from 26 on.
 *
 * Used by  channel/handles.ts
 * Never    imports anything of this project but builtins.ts and this directory; bindings.ts says more
 */
import { NativeObject } from '../builtins';
import { type NativeHandle } from './bindings';

/** A `net.BoundSocket`: Node has them from 24 on, and sends them from 26 on. */
export interface BoundSocket {
  readonly isPipe?: boolean;
}

const symbolOf = (object: object, description: string): symbol | undefined =>
  NativeObject.getOwnPropertySymbols(NativeObject.getPrototypeOf(object)).find((own) => own.description === description);

/** Does this Node send such an object? Of those that are bound to a path it sends none. */
export function isSendableBoundSocket(value: unknown): value is BoundSocket {
  const { BoundSocket } = require('node:net') as any;
  return BoundSocket !== undefined && value instanceof BoundSocket
    && symbolOf(value as object, 'messaging_transfer_symbol') !== undefined && !(value as BoundSocket).isPipe;
}

/** Takes the handle out of a bound socket, which is used up then. Throws Node's error where it is already. */
export function detachBoundSocket(bound: BoundSocket): NativeHandle {
  return (bound as any)[symbolOf(bound, 'messaging_transfer_symbol') as symbol]().data.handle;
}

/** Can `boundSocketOn` build one here? */
export const hasBoundSockets = (): boolean => '_TransferredBoundSocket' in require('node:net');

/** A bound socket around a native TCP handle (transferred). */
export function boundSocketOn(handle: NativeHandle): BoundSocket {
  const bound = new (require('node:net') as any)._TransferredBoundSocket();
  bound[symbolOf(bound, 'messaging_deserialize_symbol') as symbol]({ handle });
  return bound;
}
