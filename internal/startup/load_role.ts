/**
 * Loads role.ts from its bundle. The public entry points in lib/ call it when the process has no cluster of ours yet,
 * or needs our `fork`.
 *
 * Used by  lib/cluster.ts, lib/child_process.ts, lib/register.ts, lib/register_fork.ts, bundle.ts (at build time),
 *          operate/app/app_primary.ts
 */
import path from 'node:path';
import type { Script } from 'node:vm';
import { bundleScript, bundlesAreOff, runBundle } from './bundle_loader';

/** The bundle of role.ts, which bundle.ts makes. */
export const bundle = path.join(__dirname, 'role.bundle.js');
let script: Script | undefined;
let role: typeof import('./role') | undefined;

/** Under tsx this file is a TypeScript source, and no bundle lies beside it. */
export function loadRole(): typeof import('./role') {
  if (__filename.endsWith('.ts') || bundlesAreOff()) return require('./role') as typeof import('./role');
  if (role !== undefined) return role;
  script = bundleScript(bundle);
  return role = runBundle(script, require) as typeof import('./role');
}

/** The code cache of all functions of the bundle that have run by now; bundle.ts stores it. */
export const compiledRole = (): Buffer => (script as Script).createCachedData();
