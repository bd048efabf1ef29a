/**
 * The table of all commands. To add one: a file that exports `defineCommand({ … })`, and a row here. `about` is its line
 * in `cluster-internals --help`. A command's file is loaded when the command is used: `list` must not wait for the code
 * of `run`.
 *
 * Used by  main.ts
 */
import type { Command } from './command';

/** One command in the table. */
export interface Row {
  readonly name: string;
  /** Other names, as other tools have them. */
  readonly aliases?: readonly string[];
  readonly about: string;
  load(): Command;
}

const fromReplace = (): typeof import('./replace') => require('./replace') as typeof import('./replace');
const fromStop = (): typeof import('./stop') => require('./stop') as typeof import('./stop');
const fromLogs = (): typeof import('./logs') => require('./logs') as typeof import('./logs');
const fromSaved = (): typeof import('./saved') => require('./saved') as typeof import('./saved');

/** All commands, in the order in which the help lists them. The file of a command is loaded when it is called. */
export const COMMANDS: readonly Row[] = [
  { name: 'run', about: 'runs an app in the foreground: for containers and terminals', load: () => (require('./run') as typeof import('./run')).run },
  { name: 'start', about: 'starts an app in the background', load: () => (require('./start') as typeof import('./start')).start },
  { name: 'list', aliases: ['ls'], about: 'shows all apps', load: () => (require('./list') as typeof import('./list')).list },
  { name: 'status', about: 'shows an app and its workers; --watch draws it again and again', load: () => (require('./status') as typeof import('./status')).status },
  { name: 'reload', about: 'replaces the workers without a lost request, by a new release too', load: () => fromReplace().reload },
  { name: 'rollback', about: 'goes back to the release before', load: () => fromReplace().rollback },
  { name: 'recycle', about: 'replaces one worker, or all, by the same release', load: () => fromReplace().recycle },
  { name: 'upgrade', about: 'replaces the primary itself: another version of its program, of this library or of Node', load: () => (require('./upgrade') as typeof import('./upgrade')).upgrade },
  { name: 'scale', about: 'runs another number of workers', load: () => (require('./scale') as typeof import('./scale')).scale },
  { name: 'stop', about: 'stops an app; start NAME starts it again', load: () => fromStop().stop },
  { name: 'restart', about: 'stops an app and starts it again', load: () => fromStop().restart },
  { name: 'delete', aliases: ['rm'], about: 'stops an app and forgets it', load: () => fromStop().remove },
  { name: 'logs', about: 'prints what an app printed; -f follows', load: () => fromLogs().logs },
  { name: 'reopen-logs', about: 'opens the log files anew, after they were renamed', load: () => fromLogs().reopenLogs },
  { name: 'metrics', about: 'prints the metrics of an app, as Prometheus reads them', load: () => (require('./metrics') as typeof import('./metrics')).metrics },
  { name: 'save', about: 'remembers which apps run', load: () => fromSaved().save },
  { name: 'resurrect', about: 'starts the saved apps', load: () => fromSaved().resurrect },
  { name: 'unit', about: 'prints a systemd unit: for the saved apps, or for one app with its sockets', load: () => (require('./unit') as typeof import('./unit')).unit },
  { name: 'kill', about: 'stops all apps and the daemon', load: () => fromSaved().kill },
  { name: 'record', about: 'runs a program and records what its cluster does', load: () => (require('./record') as typeof import('./record')).record },
  { name: 'export', about: 'turns a recording into a diagram, a trace, a capture or text', load: () => (require('./export') as typeof import('./export')).exportRecording },
  { name: 'view', about: 'writes a page that shows a recording', load: () => (require('./view') as typeof import('./view')).view },
  { name: 'watch', about: 'runs a program and shows its cluster on a page while it runs', load: () => (require('./watch') as typeof import('./watch')).watch },
];
