/**
 * The option `pidFile`: a file with the pid of the primary, for tools that look for it there. It always names the process
 * that serves, also while one primary takes the place of another.
 *
 *   supervise ──► written, unless this process replaces another primary: then when it begins to accept
 *   the process ends ──► removed, if it still has the pid of this process
 *
 * Owns     the file, and a listener for 'exit' of the process
 * Used by  supervisor.ts
 * Uses     upgrade/registry.ts
 * Never    ends the process or stops a worker: if the file cannot be written, a process warning says why
 * Keeps    a reader finds the whole pid of one process or no file: it is written beside, and renamed
 */
import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { inheritanceHere, registerPlace } from '../upgrade/registry';

/** Keeps the pid of this process in a file until it ends. */
export function keepPidFile(name: string): void {
  const file = path.resolve(name);
  const write = (): void => {
    const beside = `${file}.${process.pid}`;
    try {
      writeFileSync(beside, `${process.pid}\n`);
      renameSync(beside, file);
    } catch (error) {
      remove(beside);
      const { code = 'ERR_FAILED', message } = error as NodeJS.ErrnoException;
      process.emitWarning(`The pid file ${file} cannot be written: ${message}`, { type: 'PidFileWarning', code });
    }
  };
  registerPlace({ leave: () => undefined, takeAgain: write });
  const inheritance = inheritanceHere();
  if (inheritance === null) write();
  else inheritance.onServing(write);
  process.on('exit', () => {
    if (isOurs(file)) remove(file);
  });
}

function remove(file: string): void {
  try {
    unlinkSync(file);
  } catch {
    return; // It is not there, or this process has given up the right to remove it. The next primary replaces it.
  }
}

function isOurs(file: string): boolean {
  try {
    return readFileSync(file, 'utf8') === `${process.pid}\n`;
  } catch {
    return false; // It is gone, or may not be read: then it is not ours to remove.
  }
}
