/**
 * Makes a supervised worker ignore the signals that are commands for its primary. `pkill -HUP`, `systemctl kill` and a
 * closed terminal send them to the whole process group, and their default action would end or stop the worker.
 *
 * Owns     one listener for each of these signals, as long as the process lives
 * Used by  agent.ts, as soon as it is loaded
 * Never    keeps the app from listening to these signals
 * Node     resets the signals that a process inherits as ignored, so it cannot be done before the agent is loaded. Until
 *          then SIGHUP ends the process, and the fleet starts another one, which is not charged to the restart budget
 *          (`ended` in fleet.ts)
 */

/** SIGHUP: reload. SIGTTIN: one worker more. SIGTTOU: one worker less. */
const COMMANDS = ['SIGHUP', 'SIGTTIN', 'SIGTTOU'] as const;

/** From now on these signals have no effect in this process, unless the app listens to them. */
export function ignoreCommandSignals(): void {
  for (const signal of COMMANDS) process.on(signal, () => undefined);
}
