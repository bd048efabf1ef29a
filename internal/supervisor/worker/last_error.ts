/**
 * Reports the uncaught error that ends a worker to the primary, so that 'giveup' can say why the worker died although
 * its stderr does not go through the primary.
 *
 * Owns     a listener for 'uncaughtExceptionMonitor' and one for 'exit'; the text of the last error
 * Used by  agent.ts
 * Never    changes what happens to an error: the app's handlers, or Node's, see it as always
 * Keeps    a process reports one error. If the app catches uncaught exceptions, that is the last one, at the exit
 */
import { errorText } from '../app_calls';

/** Calls `report` with the text of the error when an uncaught error ends this process, or when the process exits after one. */
export function reportLastError(report: (text: string) => void): void {
  let last: string | null = null;
  const reportOnce = (): void => {
    const text = last;
    last = null;
    if (text !== null) report(text);
  };
  process.on('uncaughtExceptionMonitor', (error: unknown) => {
    last = errorText(error);
    const isCaught = process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback();
    if (!isCaught) reportOnce();
  });
  process.on('exit', reportOnce);
}
