/**
 * The table of all commands. To add one: a file that exports `defineCommand({ … })`, and a row here. `about` is its line
 * in `cluster-internals --help`. A command's file is loaded when the command is used: `list` must not wait for the code
 * of `run`.
 *
 * Used by  main.ts
 */
import type { Command } from './command';

export interface Row {
  readonly name: string;
  /** Other names, as other tools have them. */
  readonly aliases?: readonly string[];
  readonly about: string;
  load(): Command;
}

export const COMMANDS: readonly Row[] = [
  { name: 'record', about: 'runs a program and records what its cluster does', load: () => (require('./record') as typeof import('./record')).record },
  { name: 'export', about: 'turns a recording into a diagram, a trace, a capture or text', load: () => (require('./export') as typeof import('./export')).exportRecording },
  { name: 'view', about: 'writes a page that shows a recording', load: () => (require('./view') as typeof import('./view')).view },
  { name: 'run', about: 'runs an app in the foreground: for containers and terminals', load: () => (require('./run') as typeof import('./run')).run },
];
