/**
 * Starts the inspector in another process.
 *
 * Used by  master/index.ts
 */

/** The process with that pid starts its inspector, as if it had got SIGUSR1. Throws if there is no such process. */
export function debugProcess(pid: number | undefined): void {
  (process as any)._debugProcess(pid);
}
