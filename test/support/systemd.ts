/**
 * A stand-in for systemd: a program `systemd-notify` that writes down what it is told, and a program that is started with
 * listening sockets on fd 3 and so on.
 *
 * Used by  test/unit/systemd_notify.test.ts, test/unit/inherited_sockets.test.ts, test/operate/systemd.test.ts
 */
import { chmodSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import path from 'node:path';
import { within } from './children';
import type { ProgramOptions } from './program';

/** Makes a systemd-notify in a new directory `bin` and an empty `file`. It writes each argument as a line, and a dot after each call; then it runs `script`. */
export function fakeNotify(bin: string, file: string, script = ''): void {
  mkdirSync(bin);
  writeFileSync(file, '');
  writeFileSync(path.join(bin, 'systemd-notify'), `#!/bin/sh\n{ for each in "$@"; do printf '%s\\n' "$each"; done; echo .; } >> '${file}'\n${script}\n`);
  chmodSync(path.join(bin, 'systemd-notify'), 0o755);
}

/** The arguments of each call so far. */
export function notices(file: string): string[][] {
  const calls: string[][] = [];
  let call: string[] = [];
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line !== '.') { call.push(line); continue; }
    calls.push(call);
    call = [];
  }
  return calls;
}

/** Resolves when a call was told that `test` accepts; rejects after the deadline. */
export function told(file: string, test: (call: readonly string[]) => boolean, deadline = 20_000): Promise<void> {
  return within(deadline, `a notice in ${file}`, (resolve) => {
    const look = (): void => {
      if (!notices(file).some(test)) return;
      watcher.close();
      resolve();
    };
    const watcher = watch(file, look);
    look();
  });
}

/** Options of a Program for a program that is started as systemd starts a service with these sockets. */
export function activated(fds: readonly number[], names: string, count: string = String(fds.length)): ProgramOptions {
  return { node: 'sh', execArgv: ['-c', 'LISTEN_PID=$$ exec "$0" "$@"', process.execPath], fds, env: { LISTEN_FDS: count, LISTEN_FDNAMES: names } };
}
