/**
 * Makes a supervised worker deaf to the signals that are commands for its primary. `pkill -HUP`,
 * `systemctl kill` and a closed terminal send them to the whole process group, and their default would
 * end or stop the worker.
 *
 * Owns     one listener for each of these signals, as long as the process lives
 * Used by  agent.ts, before it loads anything else: until then SIGHUP ends the process, and the fleet
 *          starts another one for it, at no cost (fleet.ts). Node resets the signals that a process
 *          inherits as ignored, so nothing can be done earlier
 * Never    keeps the app from listening too: its listeners run as always
 */

/** SIGHUP: reload. SIGTTIN, SIGTTOU: one worker more, one less. */
const COMMANDS = ['SIGHUP', 'SIGTTIN', 'SIGTTOU'] as const;

/** From now on only the app's own listeners hear these signals. */
export function ignoreCommands(): void {
  for (const signal of COMMANDS) process.on(signal, () => undefined);
}
