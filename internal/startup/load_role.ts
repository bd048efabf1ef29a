/**
 * What a program loads that wants a cluster and has none in the seat, or a `fork` of ours: role.ts, from its bundle.
 *
 * Used by  lib/cluster.ts, lib/child_process.ts, lib/register.ts, lib/register_fork.ts, bundle.ts
 */
import path from 'node:path';
import type { Script } from 'node:vm';
import { bundleScript, runBundle } from './bundle_loader';

/** Made by the build. */
export const bundle = path.join(__dirname, 'role.bundle.js');
let script: Script | undefined;
let role: typeof import('./role') | undefined;

/** Under tsx this file is a source, and there is no bundle; with source maps see bundle_loader.ts. */
export function loadRole(): typeof import('./role') {
  if (__filename.endsWith('.ts') || process.sourceMapsEnabled) return require('./role') as typeof import('./role');
  if (role !== undefined) return role;
  script = bundleScript(bundle);
  return role = runBundle(script, require) as typeof import('./role');
}

/** What V8 has compiled of it by now; for bundle.ts. */
export const compiledRole = (): Buffer => (script as Script).createCachedData();
