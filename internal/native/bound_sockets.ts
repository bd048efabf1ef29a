/**
 * `net.BoundSocket`, a socket that is bound and neither listens nor is connected. Node has the class since version 24
 * and can send an object of it to another process since version 26.
 *
 * Used by  channel/handles.ts
 * Never    imports any other file of this project than builtins.ts and files of this directory (see bindings.ts)
 */
import { NativeObject } from '../builtins';
import { type NativeHandle } from './bindings';

/** The part of a `net.BoundSocket` that this project reads. */
export interface BoundSocket {
  readonly isPipe?: boolean;
}

const symbolOf = (object: object, description: string): symbol | undefined =>
  NativeObject.getOwnPropertySymbols(NativeObject.getPrototypeOf(object)).find((own) => own.description === description);

/** Is this a BoundSocket that this version of Node can send? One that is bound to a path cannot be sent. */
export function isSendableBoundSocket(value: unknown): value is BoundSocket {
  const { BoundSocket } = require('node:net') as any;
  return BoundSocket !== undefined && value instanceof BoundSocket
    && symbolOf(value as object, 'messaging_transfer_symbol') !== undefined && !(value as BoundSocket).isPipe;
}

/** Takes the handle (transferred) out of a bound socket. Throws Node's error if it has been taken out before. */
export function detachBoundSocket(bound: BoundSocket): NativeHandle {
  return (bound as any)[symbolOf(bound, 'messaging_transfer_symbol') as symbol]().data.handle;
}

/** Does this version of Node have the class that `boundSocketOn` needs? */
export const hasBoundSockets = (): boolean => '_TransferredBoundSocket' in require('node:net');

/** Makes a bound socket of a native TCP handle (transferred). */
export function boundSocketOn(handle: NativeHandle): BoundSocket {
  const bound = new (require('node:net') as any)._TransferredBoundSocket();
  bound[symbolOf(bound, 'messaging_deserialize_symbol') as symbol]({ handle });
  return bound;
}
