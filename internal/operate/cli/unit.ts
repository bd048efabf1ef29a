/**
 * `unit`: prints a systemd unit for the daemon, or, with an app after `--`, the units of that app alone.
 *
 * Used by  commands.ts
 * Uses     daemon/unit.ts and app_units.ts (their texts), app_options.ts (what `run` takes)
 * Never    installs anything: `--to` writes into the directory that the user names
 */
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { codeOf } from '../control/errors';
import { unitText } from '../daemon/unit';
import { makeDirectory } from '../make_directory';
import { APP_OPTIONS, presentDirectory, specOf } from './app_options';
import { appUnits, hasNotify } from './app_units';
import { flag, readArguments, text, time, wrong, type Option, type Values } from './arguments';
import { COMMON, defineCommand } from './command';
import { CommandError } from './errors';
import { run } from './run';

/** How long a stop of all apps may take by default, in milliseconds: more than the default of --leave-timeout. */
const STOP_MS = 60_000;
/** The default of --leave-timeout, in milliseconds. */
const LEAVE_MS = 20_000;
/** How much longer than its workers may take systemd waits for the primary, in milliseconds. */
const SPARE_MS = 10_000;
const WATCHDOG_MS = 30_000;

const sockets: Option<readonly string[]> = {
  value: 'ADDRESS', about: 'systemd listens there, and the app gets the socket: a PORT, HOST:PORT or a path', many: true,
  read: (given, name, before = []) => {
    if (/^(?:\d{1,5}|[\w.-]+:\d{1,5}|\[[\da-fA-F:.]+\]:\d{1,5}|\/[^\s%"\\]+)$/.test(given)) return [...before, given];
    throw wrong(`${name} takes PORT, HOST:PORT or an absolute path, not '${given}'`);
  },
};

/** The command `unit`. */
export const unit = defineCommand({
  name: 'unit',
  rest: 'one app, as `run` takes it: SCRIPT and its options',
  about: [
    'Prints a systemd unit for this user, this Node and this installation. It runs the daemon, which starts the saved apps with the machine; they stop with it, each as `stop` does.',
    'With an app after -- it prints a unit that runs this app alone, without the daemon: systemd knows when it is ready, reloads it, watches it, and with --socket opens its sockets.',
    'With --user it is a unit of the user\'s own systemd, which needs no root.',
  ],
  examples: [
    'cluster-internals save && cluster-internals unit | sudo tee /etc/systemd/system/cluster-internals-$USER.service',
    'cluster-internals unit --user > ~/.config/systemd/user/cluster-internals.service',
    'cluster-internals unit --socket 8000 --to units -- api.js -i max && sudo cp units/* /etc/systemd/system/',
  ],
  options: {
    user: flag("a unit of the user's own systemd"),
    socket: sockets,
    watchdog: time('within this time systemd has to hear of the app, otherwise it is started again: 30s by default'),
    to: text('DIR', 'writes the units into files of this directory'),
    'stop-timeout': time('how long a stop may take: 60s by default for all apps of the daemon, and what its options say for one app'),
  },
  run: async ({ values, rest, output }) => {
    const { username: user } = userInfo();
    const common = { isUser: values.user === true, user, node: process.execPath, env: process.env };
    const stop = values['stop-timeout'];
    if (rest.length === 0 && (values.socket ?? values.watchdog ?? values.to) !== undefined) throw wrong('--socket, --watchdog and --to are for one app: name it after --');
    if (rest.length === 0) {
      const unitOfDaemon = unitText({ ...common, stopSeconds: Math.ceil((stop ?? STOP_MS) / 1000) });
      output.result({ unit: unitOfDaemon }, () => unitOfDaemon.trimEnd());
      return 0;
    }
    run.prepare(rest); // The errors of `run`, now and not when systemd starts it.
    const { values: given, names, rest: args } = readArguments({ ...APP_OPTIONS, ...COMMON }, rest);
    // Each value was read by the option of its name.
    const options = given as Values<typeof APP_OPTIONS>;
    const { name } = specOf(names[0] ?? '', options, args);
    const files = appUnits({
      ...common, name, cwd: presentDirectory(), args: rest, sockets: values.socket ?? [], hasNotify: hasNotify(process.env['PATH'] ?? ''),
      watchdogSeconds: Math.max(1, Math.ceil((values.watchdog ?? WATCHDOG_MS) / 1000)),
      stopSeconds: Math.ceil((stop ?? (options['leave-timeout'] ?? LEAVE_MS) + (options['drain-delay'] ?? 0) + SPARE_MS) / 1000),
    });
    if (values.to !== undefined) write(path.resolve(presentDirectory(), values.to), files);
    const written = values.to;
    output.result({ units: Object.fromEntries(files) }, () => [...files].map(([file, content]) => (written === undefined ? `# ── ${file} ──\n${content.trimEnd()}` : path.join(written, file))).join(written === undefined ? '\n\n' : '\n'));
    return 0;
  },
});

function write(directory: string, files: ReadonlyMap<string, string>): void {
  try {
    makeDirectory(directory);
    for (const [file, content] of files) writeFileSync(path.join(directory, file), content);
  } catch (error) {
    throw new CommandError(1, codeOf(error) ?? 'ERR_FAILED', `the units cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}
