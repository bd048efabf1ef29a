/**
 * Versions of Node and other runtimes from the npm registry, in .nodes/, which git ignores. A missing one is installed.
 *
 * Used by  conformance.ts, runtimes/runtime.ts
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { npmInstall } from '../support/npm';
import { root } from '../support/program';
import { announce } from '../support/terminal';
import { WrongArgument, versionOfNode } from '../support/tool';

/** The file of each package that runs. */
const BINARIES = { node: 'node_modules/node/bin/node', bun: 'node_modules/.bin/bun', deno: 'node_modules/.bin/deno' } as const;

/** What a download costs; Node 22 on x64 was measured. */
const COSTS = { node: '55 MB to download, 185 MB on disk', bun: 'some 100 MB on disk', deno: 'some 130 MB on disk' } as const;

const current = process.versions.node;

/** The Node of a major version ("22") or an exact one ("22.3.0"): the one at hand if it is that, or one of .nodes. */
export async function nodeOf(version: string): Promise<{ node: string; exact: string }> {
  if (version === current || version === current.split('.')[0]) return { node: process.execPath, exact: current };
  const node = await installed('node', version);
  const exact = versionOfNode(node);
  if (exact !== version && !exact.startsWith(`${version}.`)) throw new WrongArgument(`${node} is Node ${exact}, not ${version}: remove its directory below .nodes`);
  return { node, exact };
}

/** The path of a runtime's program; `version` is the newest by default. */
export async function installed(name: keyof typeof BINARIES, version?: string): Promise<string> {
  const directory = path.join(root, '.nodes', name === 'node' ? version ?? 'node' : `${name}${version === undefined ? '' : `@${version}`}`);
  const binary = path.join(directory, BINARIES[name]);
  if (!existsSync(binary)) {
    const wanted = version === undefined ? name : `${name}@${version}`;
    announce('conformance', `installs ${wanted} with npm in ${path.relative(process.cwd(), directory)}: about ${COSTS[name]}`);
    await npmInstall([wanted], directory);
  }
  return binary;
}
