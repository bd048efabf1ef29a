/**
 * Calls into the app's code from a loop of ours: a listener, a hook, a method that the app may have
 * replaced. When it throws, the loop goes on, and the exception becomes an uncaught one, as it would
 * have been had Node made the call.
 *
 * Used by  drain.ts, drain_http1.ts, drain_http2.ts, ending.ts, trial.ts, agent.ts
 */

/** Makes the call. An exception is thrown again in a tick of its own. */
export function apart(call: () => void): void {
  try {
    call();
  } catch (error) {
    process.nextTick(() => { throw error; });
  }
}
