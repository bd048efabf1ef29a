/**
 * The errors of the control protocol, and how an error of a method travels to the client.
 *
 * Used by  server.ts, connection.ts, client.ts, directory.ts, lock.ts, lost_directories.ts, socket_file.ts, socket_watch.ts,
 *          events.ts, app_control.ts, app/, daemon/, cli/
 * Never    throws: whatever a method throws, `refusalOf` makes a reply of it
 */
import { inspect } from 'node:util';
import { nodeError } from '../../errors';
import type { Refusal } from './protocol';

/** The codes of errors that only the control protocol has. Errors of Node keep their own. */
export type ControlCode =
  /** A live process holds this name or path. */
  | 'ERR_ALREADY_RUNNING'
  /** The path cannot be that of a control socket: too long, or something else is there. */
  | 'ERR_CONTROL_PATH'
  /** The directory of control sockets is not private to this user. */
  | 'ERR_CONTROL_DIRECTORY'
  /** The server closed the connection, or ended, before it answered. */
  | 'ERR_CONTROL_CLOSED'
  /** The other side does not speak this protocol. */
  | 'ERR_CONTROL_PROTOCOL'
  /** The caller cancelled a call before it was sent. */
  | 'ERR_CANCELLED'
  /** The other side did not answer in time. */
  | 'ERR_CONTROL_TIMEOUT'
  /** The other side speaks another version of this protocol. */
  | 'ERR_VERSION'
  | 'ERR_UNKNOWN_METHOD'
  | 'ERR_LINE_TOO_LONG'
  | 'ERR_TOO_MANY_CALLS'
  | 'ERR_TOO_MANY_CONNECTIONS'
  /** A method failed with something that has no code. */
  | 'ERR_FAILED';

/** An error with one of these codes. */
export const controlError = (code: ControlCode, message: string): Error & { code: string } => nodeError(Error, code, message);

/** The reply to a request that fails with one of these codes. */
export const refusal = (code: ControlCode, message: string): Refusal => ({ code, message });

/** The `code` of an error; undefined if it has none. */
export function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** The reply for a value that a method threw, or with which its promise was rejected. */
export function refusalOf(thrown: unknown): Refusal {
  try {
    if (!(thrown instanceof Error)) return { code: 'ERR_FAILED', message: inspect(thrown, { depth: 1 }) };
    const refusal = { code: codeOf(thrown) ?? 'ERR_FAILED', message: String(thrown.message) };
    return 'report' in thrown && isPlain(thrown.report) ? { ...refusal, report: thrown.report } : refusal;
  } catch {
    // The error has getters that throw.
    return { code: 'ERR_FAILED', message: 'the request failed with an error that cannot be read' };
  }
}

/** Can it be written as JSON? */
function isPlain(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}
