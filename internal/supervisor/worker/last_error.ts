/**
 * Reports the uncaught error that ends a worker to the primary, so that 'giveup' can say why the worker died although
 * its stderr does not go through the primary.
 *
 * Owns     a listener for 'uncaughtExceptionMonitor' and one for 'exit'; the text of the last error
 * Used by  agent.ts
 * Never    changes what happens to an error: the app's handlers, or Node's, see it as always
 * Keeps    1. the text has at most KEPT characters
 *          2. a process reports one error. If the app catches uncaught exceptions, that is the last one, at the exit
 */

/** How much of the text of an error is reported, in characters: room for a long stack. */
const KEPT = 4_096;

/** Calls `report` with the text of the error when an uncaught error ends this process, or when the process exits after one. */
export function reportLastError(report: (text: string) => void): void {
  let last: string | null = null;
  const reportOnce = (): void => {
    const text = last;
    last = null;
    if (text !== null) report(text);
  };
  process.on('uncaughtExceptionMonitor', (error: unknown) => {
    last = textOf(error);
    const isCaught = process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback();
    if (!isCaught) reportOnce();
  });
  process.on('exit', reportOnce);
}

/** The stack of an error, or the text of whatever else was thrown. Both can be getters or methods of the app that throw. */
function textOf(error: unknown): string {
  try {
    const stack = typeof error === 'object' && error !== null ? (error as { stack?: unknown }).stack : undefined;
    return String(stack ?? error).slice(0, KEPT);
  } catch {
    return 'an error that has no text';
  }
}
