/**
 * Starts the inspector in another process.
 *
 * Used by  master/index.ts
 */

/** Makes the process with that pid start its inspector, as SIGUSR1 does. Throws if there is no such process. */
export function debugProcess(pid: number | undefined): void {
  (process as any)._debugProcess(pid);
}
