/**
 * The errors that this project throws. Where Node throws one too, it has Node's code and Node's words, so a
 * program that tests `error.code` or prints `error.message` sees no difference. Codes that Node does not have
 * (ERR_IPC_…) are errors of the channel that Node does not detect.
 *
 * Imports only builtins.ts: every other file may import this one.
 * Node     lib/internal/errors.js. Errors that Node's own modules throw for us are not here.
 */
import { getSystemErrorName, inspect } from 'node:util';
import { NativeObject, Reflect, String } from './builtins';

type ErrorBase = new (message: string) => Error;

/** Makes an error as Node does: the code stands in its stack and its text, and is its one enumerable property. */
export function nodeError(Base: ErrorBase, code: string, message: string): Error & { code: string } {
  const error = new Base(message);
  const text = `${error.name} [${code}]`;
  // V8 makes the text of a stack when it is first read, and then keeps it. So it is read while the name has the code.
  NativeObject.defineProperty(error, 'name', { value: text, configurable: true });
  void error.stack;
  Reflect.deleteProperty(error, 'name');
  NativeObject.defineProperty(error, 'toString', {
    value: () => `${text}: ${error.message}`, writable: true, configurable: true, enumerable: false,
  });
  return NativeObject.assign(error, { code });
}

/** ERR_INVALID_ARG_TYPE in Node's words. `expected` ends "must be …", for example `of type string`. */
export function invalidArgType(name: string, expected: string, actual: unknown): Error {
  const kind = name.includes('.') ? 'property' : 'argument';
  return nodeError(TypeError, 'ERR_INVALID_ARG_TYPE',
    `The "${name}" ${kind} must be ${expected}. Received ${describe(actual)}`);
}

/** ERR_INVALID_ARG_VALUE in Node's words. `reason` says what is wrong, for example `must be one of: 'a', 'b'`. */
export function invalidArgValue(name: string, actual: unknown, reason = 'is invalid'): Error {
  const kind = name.includes('.') ? 'property' : 'argument';
  return nodeError(TypeError, 'ERR_INVALID_ARG_VALUE', `The ${kind} '${name}' ${reason}. Received ${inspect(actual)}`);
}

/** ERR_OUT_OF_RANGE in Node's words. `range` ends "must be …", for example `>= 0 && <= 65535`. */
export function outOfRange(name: string, range: string, actual: number): Error {
  return nodeError(RangeError, 'ERR_OUT_OF_RANGE', `The value of "${name}" is out of range. It must be ${range}. Received ${actual}`);
}

/** The error of a failed system call, for example `write EPIPE`, with `errno`, `code` and `syscall`. */
export function systemError(errno: number, syscall: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno);
  return NativeObject.assign(new Error(`${syscall} ${code}`), { errno, code, syscall });
}

/** For `send` on a channel that has ended. */
export const channelClosed = (): Error => nodeError(Error, 'ERR_IPC_CHANNEL_CLOSED', 'Channel closed');
/** For `disconnect` on a channel that has ended. */
export const alreadyDisconnected = (): Error =>
  nodeError(Error, 'ERR_IPC_DISCONNECTED', 'IPC channel is already disconnected');
/** The other end has sent, or has begun to send, a message that is longer than `limits.messageBytes`. */
export const messageTooLong = (longest: number): Error =>
  nodeError(RangeError, 'ERR_IPC_MESSAGE_TOO_LONG', `A message of more than ${longest} bytes was received`);
/** An fd arrived, and the message that arrived with it does not say what the fd is for. */
export const strayHandle = (): Error => nodeError(Error, 'ERR_IPC_STRAY_HANDLE', 'A handle was received that no message announces');
/** A worker has acknowledged connections that the primary did not hand to it. */
export const senselessAnswer = (): Error => nodeError(Error, 'ERR_IPC_SENSELESS_ANSWER', 'A worker acknowledged connections that were not handed to it');
/** More than `limits.unreadBytes` wait to be read by the other end. */
export const notRead = (limit: number): Error =>
  nodeError(Error, 'ERR_IPC_NOT_READ', `More than ${limit} bytes wait to be read by the other end`);
/** For `send` with a handle that cannot be sent: it has no fd, or is no handle at all. */
export const invalidHandleType = (): Error =>
  nodeError(TypeError, 'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent');

/**
 * Calls a function that may run code of the program, from a place that has to go on whatever the program does.
 * What the call throws is thrown again in the next tick, as an uncaught exception.
 */
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
 * Errors that the other end of a channel has caused: it ended, or sent bytes that are no message. A primary
 * emits them as 'error' on the Worker, but they do not end the primary if nobody listens there (D18).
 */
const caused = new WeakSet<Error>();

/** Marks an error as caused by the other end of a channel; returns it. */
export function causedByPeer<E extends Error>(error: E): E {
  caused.add(error);
  return error;
}

/** Has the other end of a channel caused this error? */
export const isCausedByPeer = (error: unknown): boolean => error instanceof Error && caused.has(error);

/** Describes a value that was received, in the words of Node's errors: `type number (5)`. */
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
