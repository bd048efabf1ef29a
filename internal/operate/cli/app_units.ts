/**
 * The systemd units of one app: a service that is `run`, without the daemon, and the socket unit whose sockets it gets.
 *
 * Used by  unit.ts
 * Uses     ../daemon/unit.ts (how words of a unit file are written)
 * Decided  KillMode=mixed: a stop sends SIGTERM to the primary alone, which makes its workers leave; what is left at the end
 *          of the time is killed. ExecReload is the command `reload`, so `systemctl reload` ends when the reload has, and
 *          fails if it does. Type=notify needs NotifyAccess=all, since a child (systemd-notify) sends the messages; where
 *          there is no such program, the service is Type=exec without a watchdog
 */
import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { builtFile } from '../../dist_files';
import { afterLines, argument, environmentLines, installLines, quoted, type UnitOptions } from '../daemon/unit';

/** One app, and how systemd runs it. */
export interface AppUnitOptions extends UnitOptions {
  readonly name: string;
  /** The directory in which `run` is called. */
  readonly cwd: string;
  /** The arguments of `run`. */
  readonly args: readonly string[];
  /** `ListenStream=` of the socket unit; none: there is no socket unit. */
  readonly sockets: readonly string[];
  /** Within so many seconds systemd has to hear of the app. */
  readonly watchdogSeconds: number;
  /** Is there a program systemd-notify? */
  readonly hasNotify: boolean;
}

/** How long a start or a reload may take, in seconds: more than the slowest worker, and more than one after another. */
const START_SECONDS = 300;

/** The files by name, in the order in which a person reads them. */
export function appUnits(options: AppUnitOptions): ReadonlyMap<string, string> {
  const files = new Map([[`${options.name}.service`, serviceOf(options)]]);
  if (options.sockets.length > 0) files.set(`${options.name}.socket`, socketOf(options));
  return files;
}

/** Is there a program systemd-notify in these directories? */
export function hasNotify(directories: string): boolean {
  return directories.split(path.delimiter).some((directory) => {
    try {
      accessSync(path.join(directory, 'systemd-notify'), constants.X_OK);
      return path.isAbsolute(directory);
    } catch {
      return false; // Not there, or not ours to run.
    }
  });
}

function serviceOf({ name, isUser, user, node, env, cwd, args, sockets, watchdogSeconds, stopSeconds, hasNotify: isTold }: AppUnitOptions): string {
  const cli = argument(builtFile('lib/cli.js'));
  const systemctl = isUser ? 'systemctl --user' : 'systemctl';
  return [
    `# ${name}, run by cluster-internals. Put it into ${isUser ? '~/.config/systemd/user' : '/etc/systemd/system'}, then:`,
    `#   ${systemctl} daemon-reload`,
    `#   ${systemctl} enable --now ${sockets.length > 0 ? `${name}.socket ${name}` : name}`,
    '',
    '[Unit]',
    `Description=${quoted(name)}, run by cluster-internals`,
    ...(isUser ? [] : afterLines(user, env)),
    ...(sockets.length > 0 ? [`Requires=${name}.socket`, `After=${name}.socket`] : []),
    '',
    '[Service]',
    ...(isTold
      ? ['# Ready when the workers are. The messages come from a child of the primary, systemd-notify.', 'Type=notify', 'NotifyAccess=all', `WatchdogSec=${watchdogSeconds}`]
      : ['# With systemd-notify in PATH this would be Type=notify, NotifyAccess=all and WatchdogSec.', 'Type=exec']),
    ...(isUser ? [] : [`User=${user}`]),
    `WorkingDirectory=${cwd.replace(/%/g, '%%')}`,
    ...environmentLines(env),
    `ExecStart=${quoted(node)} ${cli} run ${args.map(argument).join(' ')}`,
    '# Ends when the reload has, and fails if it does.',
    `ExecReload=${quoted(node)} ${cli} reload ${name}`,
    '# SIGTERM goes to the primary alone: it makes the workers leave.',
    'KillMode=mixed',
    'Restart=on-failure',
    `TimeoutStartSec=${START_SECONDS}`,
    `TimeoutStopSec=${stopSeconds}`,
    ...installLines(isUser),
  ].join('\n');
}

function socketOf({ name, sockets }: AppUnitOptions): string {
  return [
    `# The sockets of ${name}: open before it starts, while it restarts, and after it has ended.`,
    '',
    '[Unit]',
    `Description=Sockets of ${name}`,
    '',
    '[Socket]',
    ...sockets.map((socket) => `ListenStream=${socket}`),
    '',
    '[Install]',
    'WantedBy=sockets.target',
    '',
  ].join('\n');
}
