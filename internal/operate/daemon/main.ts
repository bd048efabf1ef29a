/**
 * The program of the daemon. `spawnDaemon` starts it; a service manager can start it as well.
 *
 *   node …/daemon/main [--resurrect]      in the foreground. With --resurrect it starts what was saved
 *
 * Owns     the control socket of the daemon, the lock of the state directory, and a handle that keeps this process alive
 * Used by  nobody: spawn_daemon.ts and the unit of unit.ts start it as a program
 * Uses     daemon.ts (what it does), control/server.ts
 * Never    ends an app: SIGTERM, SIGINT and a crash end this process only
 * Signals  SIGTERM, SIGINT: ends. SIGHUP: nothing, since the log is opened for each line
 * Exits    0 by a signal or `kill`, or if another daemon of this user runs. 1 it cannot work (stderr and fd 3 say why)
 */
import fs from 'node:fs';
import path from 'node:path';
import { LONGEST_DELAY } from '../../clock';
import { daemonPath } from '../control/directory';
import { codeOf } from '../control/errors';
import { takeLock } from '../control/lock';
import { ControlServer } from '../control/server';
import { Daemon } from './daemon';
import { logTo } from './daemon_log';
import { daemonLogFile, stateDirectory } from '../control/state_directory';

/** The fd on which the starter waits for a line: 'ready', 'taken: …', or why there is no daemon. Nobody need be there. */
const READY_FD = 3;
/** What the starter is told first if another daemon runs; the rest of the line says which. */
const TAKEN = 'taken: ';
const isStarted = process.argv.includes('--started');

async function main(): Promise<void> {
  process.umask(0o077);
  const state = stateDirectory();
  const log = logTo(daemonLogFile(state));
  let daemon: Daemon | null = null;
  const end = async (reason: string): Promise<void> => {
    log(`daemon ${process.pid} ends: ${reason}`);
    daemon?.letGo();
    await server.close();
    process.exit(0);
  };
  // The methods are there before the apps are looked for: only the daemon that has the socket may look.
  const made = new Promise<Daemon>((resolve) => { provide = resolve; });
  const server = new ControlServer({ kind: 'daemon', name: 'daemon', pid: process.pid, startedBy: 'daemon' },
    Object.fromEntries(NAMES.map((name) => [name, async (params, call) => (await made).methods[name](params, call)])));
  try {
    // Two daemons of one state directory would start each app twice, also if their sockets are in different places.
    takeLock(path.join(state, 'daemon'));
    await server.listen(daemonPath());
  } catch (error) {
    if (!(error instanceof Error) || codeOf(error) !== 'ERR_ALREADY_RUNNING') throw error;
    tellStarter(`${TAKEN}${error.message}\n`); // Another daemon runs, and serves whoever has started this one.
    process.exit(0);
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void end(signal));
  process.on('SIGHUP', () => log('SIGHUP'));
  setInterval(() => undefined, LONGEST_DELAY); // The control server does not keep the process alive.
  log(`daemon ${process.pid} runs`);
  daemon = new Daemon({ state, log, boot: bootOfMachine(), end: () => setImmediate(() => void end('kill')) });
  provide(daemon);
  tellStarter('ready\n');
  if (process.argv.includes('--resurrect')) {
    await daemon.resurrect({ signal: new AbortController().signal, progress: () => undefined })
      .then(({ apps }) => { for (const { name, error } of apps) log(`${name}: resurrected${error === null ? '' : `, but ${error.message}`}`); }, (error: Error) => log(error.message));
  }
}

let provide: (daemon: Daemon) => void = () => undefined;
const NAMES = ['list', 'start', 'stop', 'delete', 'restart', 'save', 'resurrect', 'kill'] as const;

/** Identifies this boot; '' if the kernel does not say. */
function bootOfMachine(): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

function tellStarter(line: string): void {
  if (!isStarted) return;
  try {
    fs.writeSync(READY_FD, line);
    fs.closeSync(READY_FD);
  } catch {
    return; // The starter is gone. This daemon serves the next client.
  }
}

main().catch((error: unknown) => {
  const text = error instanceof Error ? error.message : String(error);
  tellStarter(`${text}\n`);
  fs.writeSync(2, `cluster-internals daemon: ${text}\n`);
  process.exit(1);
});
