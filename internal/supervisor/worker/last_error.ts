/**
 * Tells the primary which error ended a worker, so that its stderr need not go through the primary.
 *
 * Owns     one listener for 'uncaughtExceptionMonitor' and one for 'exit'; the text of the last error
 * Used by  agent.ts
 * Never    changes what happens to an error: the app's handlers, or Node's, see it as always
 * Keeps    1. the text has KEPT characters at the most
 *          2. one message for each process that dies: where the app catches uncaught exceptions, the last
 *             one is told at the exit
 */

/** How much of the error's text is told, in characters. */
const KEPT = 4_096;

/** `tell` gets the text when the process is about to end because of an uncaught error, or ends after one. */
export function tellLastError(tell: (text: string) => void): void {
  let last: string | null = null;
  const tellOnce = (): void => {
    const text = last;
    last = null;
    if (text !== null) tell(text);
  };
  process.on('uncaughtExceptionMonitor', (error: unknown) => {
    last = inWords(error);
    const caught = process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback();
    if (!caught) tellOnce();
  });
  process.on('exit', tellOnce);
}

/** The stack of an error, or the text of whatever else was thrown; both may be the app's code, which may throw. */
function inWords(error: unknown): string {
  try {
    const stack = typeof error === 'object' && error !== null ? (error as { stack?: unknown }).stack : undefined;
    return String(stack ?? error).slice(0, KEPT);
  } catch {
    return 'an error that has no text';
  }
}
