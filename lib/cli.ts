#!/usr/bin/env node
/**
 * The command `cluster-internals`: operates apps from the shell. `cluster-internals --help` lists its commands, README.md
 * has a chapter about it.
 *
 * Uses     internal/operate/cli/main.ts
 */
import type { Cluster } from 'node:cluster';
import { readFileSync } from 'node:fs';
import { builtFile } from '../internal/dist_files';
import { main } from '../internal/operate/cli/main';
import type { Doors } from '../internal/operate/cli/command';

const version = (JSON.parse(readFileSync(builtFile('../package.json'), 'utf8')) as { version: string }).version;

/** Loaded when a command needs it: most commands only talk to a process that runs already. */
const doors: Doors = {
  cluster: () => require('./cluster') as Cluster,
  supervise: (options) => (require('./supervisor') as typeof import('./supervisor')).supervise(options),
};

void main(process.argv.slice(2), version, doors).then((code) => {
  if (code !== undefined) process.exitCode ??= code;
});
