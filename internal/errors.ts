/**
 * The errors of this project: Node's codes and Node's words, so that a program that tests
 * `error.code` or prints `error.message` sees no difference.
 *
 * Used by  channel (send, disconnect), master (settings), child
 * Node     lib/internal/errors.js; only the codes that our own code raises are here. Where a call
 *          into Node's standard library raises the error by itself, we let it.
 */
import { getSystemErrorName, inspect } from 'node:util';
import { NativeObject, Reflect, String } from './builtins';

type ErrorBase = new (message: string) => Error;

/** An error as Node builds it: the code shows in its stack and text and is its one enumerable property. */
export function nodeError(Base: ErrorBase, code: string, message: string): Error & { code: string } {
  const error = new Base(message);
  const text = `${error.name} [${code}]`;
  // V8 renders the header of a stack once, when it is first read: read it while the code is in the name.
  NativeObject.defineProperty(error, 'name', { value: text, configurable: true });
  void error.stack;
  Reflect.deleteProperty(error, 'name');
  NativeObject.defineProperty(error, 'toString', {
    value: () => `${text}: ${error.message}`, writable: true, configurable: true, enumerable: false,
  });
  return NativeObject.assign(error, { code });
}

/** `ERR_INVALID_ARG_TYPE` in Node's words. `expected` is Node's phrase, e.g. `of type string`. */
export function invalidArgType(name: string, expected: string, actual: unknown): Error {
  const kind = name.includes('.') ? 'property' : 'argument';
  return nodeError(TypeError, 'ERR_INVALID_ARG_TYPE',
    `The "${name}" ${kind} must be ${expected}. Received ${describe(actual)}`);
}

/** `ERR_INVALID_ARG_VALUE` in Node's words. */
export function invalidArgValue(name: string, actual: unknown): Error {
  const kind = name.includes('.') ? 'property' : 'argument';
  return nodeError(TypeError, 'ERR_INVALID_ARG_VALUE', `The ${kind} '${name}' is invalid. Received ${inspect(actual)}`);
}

/** The error of a failed system call: `write EPIPE` with `errno`, `code` and `syscall`. */
export function systemError(errno: number, syscall: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno);
  return NativeObject.assign(new Error(`${syscall} ${code}`), { errno, code, syscall });
}

/** `send` on a channel that has ended. */
export const channelClosed = (): Error => nodeError(Error, 'ERR_IPC_CHANNEL_CLOSED', 'Channel closed');
/** `disconnect` on a channel that has ended. */
export const alreadyDisconnected = (): Error =>
  nodeError(Error, 'ERR_IPC_DISCONNECTED', 'IPC channel is already disconnected');
/** The other end sends, or has begun to send, a message longer than `limits.messageBytes`. */
export const messageTooLong = (longest: number): Error =>
  nodeError(RangeError, 'ERR_IPC_MESSAGE_TOO_LONG', `A message of more than ${longest} bytes was received`);
/** An fd came with bytes that do not say what it is for. */
export const strayHandle = (): Error => nodeError(Error, 'ERR_IPC_STRAY_HANDLE', 'A handle was received that no message speaks of');
/** A worker answers what it was not asked. */
export const senselessAnswer = (): Error => nodeError(Error, 'ERR_IPC_SENSELESS_ANSWER', 'A worker answered for connections that it had not been handed');
/** More than `limits.unreadBytes` are on their way to the other end, which does not read them. */
export const notRead = (limit: number): Error =>
  nodeError(Error, 'ERR_IPC_NOT_READ', `More than ${limit} bytes have not been read by the other end`);
/** A handle that has no fd to send, or that is none. */
export const invalidHandleType = (): Error =>
  nodeError(TypeError, 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent');

/** Runs what may call into the app, in a loop that has to go on: what it throws is thrown in a tick of its own, where it is uncaught. */
export function separately(call: () => void): void {
  try {
    call();
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

/**
 * Errors that the other end of a channel caused: it went away or sent bytes that are no message. A
 * primary reports them on the Worker, and nobody has to listen for them (D18).
 */
const caused = new WeakSet<Error>();

/** Marks an error as the other end's doing. */
export function causedByPeer<E extends Error>(error: E): E {
  caused.add(error);
  return error;
}

/** Did the other end of a channel cause this error? */
export const isCausedByPeer = (error: unknown): boolean => error instanceof Error && caused.has(error);

/** What was received instead, in the words of Node's errors. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value === 'object') {
    const name = value.constructor?.name;
    return name ? `an instance of ${name}` : inspect(value, { depth: -1 });
  }
  let shown = inspect(value, { colors: false });
  if (shown.length > 28) shown = `${shown.slice(0, 25)}...`;
  return `type ${typeof value} (${shown})`;
}
