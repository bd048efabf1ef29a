/**
 * Tells systemd about this process: it is ready, it reloads, it stops, it is alive, another process takes its place. That
 * is the protocol of sd_notify(3): a datagram to the unix socket that `NOTIFY_SOCKET` names. Node cannot send datagrams to
 * a unix socket, so the program `systemd-notify`, a part of systemd, sends each of them. systemd takes messages of such a
 * child only where the unit says `NotifyAccess=all`.
 *
 * Owns     one child at a time (`systemd-notify`), with the timer of its deadline; at most MOST_PENDING notices that wait
 * Used by  service.ts
 * Never    waits for the child in a way that blocks this process, or keeps it alive. Never throws or rejects: what went wrong
 *          is a process warning, once for each reason
 * Keeps    1. notices are sent in the order in which they came. What waits behind a slow child becomes one notice, but two
 *             states (ready, reloading, stopping) stay two
 *          2. without NOTIFY_SOCKET nothing is started
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { timers } from '../../builtins';

/** What systemd is told. Several can go together. */
export interface Notice {
  /** READY=1: the service has started, or its reload has ended. */
  readonly ready?: true;
  /** RELOADING=1, with the time on the monotonic clock at which `notify` was called. READY=1 must follow. */
  readonly reloading?: true;
  /** STOPPING=1: the service has begun to stop. */
  readonly stopping?: true;
  /** STATUS: one line for people, which `systemctl status` shows. */
  readonly status?: string;
  /** MAINPID: from now on this process is the main process of the service. */
  readonly mainPid?: number;
  /** WATCHDOG=1: the service is alive. */
  readonly watchdog?: true;
}

/**
 * Tells systemd, if this process was started with NOTIFY_SOCKET. It returns at once.
 *
 * @returns  a promise that never rejects. It resolves when systemd has the notice (true), or when that cannot be: there is no
 *           NOTIFY_SOCKET, no program systemd-notify, it has failed, or it has not ended within SEND_MS (false)
 */
export const notify = (notice: Notice): Promise<boolean> => ofThisProcess.notify(notice);

/** Is there a systemd that wants to be told? */
export const isWanted = (env: NodeJS.ProcessEnv = process.env): boolean => (env['NOTIFY_SOCKET'] ?? '') !== '';

const PROGRAM = 'systemd-notify';
/** How long one systemd-notify may take, in milliseconds. It waits up to 5 s itself until systemd has read its message. */
const SEND_MS = 6_000;
/** So many notices may wait. Two are enough: the last state that was told, and the one before. */
const MOST_PENDING = 2;
/** The part of an error text of systemd-notify that is kept, in characters. */
const LONGEST_REASON = 300;

/** A notice that waits, and who waits for it. */
interface Pending {
  notice: Notice;
  readonly done: ((sent: boolean) => void)[];
}

const STATES = ['ready', 'reloading', 'stopping'] as const;
const hasState = (notice: Notice): boolean => STATES.some((state) => notice[state] === true);

/** Sends notices one after another. */
export class Notifier {
  readonly #env: () => NodeJS.ProcessEnv;
  readonly #warn: (text: string) => void;
  readonly #sendMs: number;
  readonly #pending: (Pending & { since: bigint })[] = [];
  readonly #warned = new Set<string>();
  #state: 'idle' | 'sending' | 'no program' = 'idle';

  /** `env`: where NOTIFY_SOCKET and PATH are. `sendMs`: how long one systemd-notify may take, in milliseconds. */
  constructor(env: () => NodeJS.ProcessEnv = () => process.env, warn: (text: string) => void = emitWarning, sendMs = SEND_MS) {
    this.#env = env;
    this.#warn = warn;
    this.#sendMs = sendMs;
  }

  /** As the function `notify`. */
  notify(notice: Notice): Promise<boolean> {
    if (!isWanted(this.#env()) || this.#state === 'no program') return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#add(notice, resolve);
      this.#next();
    });
  }

  #add(notice: Notice, done: (sent: boolean) => void): void {
    const last = this.#pending.at(-1);
    if (last !== undefined && !(hasState(last.notice) && hasState(notice))) {
      last.notice = { ...last.notice, ...notice };
      last.done.push(done);
      return;
    }
    this.#pending.push({ notice, done: [done], since: process.hrtime.bigint() });
    if (this.#pending.length <= MOST_PENDING) return;
    // A state that two later ones have overtaken. Whatever else was in that notice goes with the next.
    const [first, second] = this.#pending.splice(0, 2);
    if (first === undefined || second === undefined) return;
    const { ready: _ready, reloading: _reloading, stopping: _stopping, ...rest } = first.notice;
    this.#pending.unshift({ ...second, notice: { ...rest, ...second.notice }, done: [...first.done, ...second.done] });
  }

  #next(): void {
    if (this.#state !== 'idle') return;
    const next = this.#pending.shift();
    if (next === undefined) return;
    this.#state = 'sending';
    this.#run(variables(next.notice, next.since), (sent) => {
      if (this.#state === 'sending') this.#state = 'idle';
      const failed = this.#state === 'no program' ? this.#pending.splice(0) : [];
      for (const each of [next, ...failed]) for (const done of each.done) done(sent);
      this.#next();
    });
  }

  /** Starts systemd-notify. Calls `ended` once, in a later turn. */
  #run(args: readonly string[], ended: (sent: boolean) => void): void {
    let output = '';
    let isOver = false;
    let child: ChildProcess | null = null;
    const end = (failure: string | null): void => {
      if (isOver) return;
      isOver = true;
      timers.clearTimeout(deadline);
      child?.stderr?.destroy();
      if (failure !== null) this.#complain(failure);
      ended(failure === null);
    };
    const deadline = timers.setTimeout(() => {
      child?.kill('SIGKILL');
      end(`${PROGRAM} did not end within ${this.#sendMs / 1000} s`);
    }, this.#sendMs).unref();
    const failed = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'ENOENT') this.#state = 'no program';
      end(error.code === 'ENOENT' ? `there is no program ${PROGRAM} in PATH. Install it (it is a part of systemd), or write Type=exec in the unit` : error.message);
    };
    try {
      child = spawn(PROGRAM, args, { stdio: ['ignore', 'ignore', 'pipe'], env: this.#env() });
    } catch (error) {
      // The permission model, for example.
      process.nextTick(() => end(error instanceof Error ? error.message : String(error)));
      return;
    }
    child.on('error', failed);
    child.once('exit', (code) => { if (code === 0) end(null); });
    child.once('close', (code, signal) => end(`${PROGRAM} ${signal === null ? `exited with ${code}` : `was killed by ${signal}`}${output === '' ? '' : `: ${output.trim()}`}`));
    child.unref();
    // There is no stderr if no fd is left; then 'error' follows.
    const { stderr } = child;
    stderr?.setEncoding('utf8').on('data', (text: string) => { output = (output + text).slice(0, LONGEST_REASON); }).on('error', () => end('its stderr cannot be read'));
    if (stderr instanceof Socket) stderr.unref();
  }

  #complain(reason: string): void {
    if (this.#warned.has(reason)) return;
    this.#warned.add(reason);
    this.#warn(`systemd is not told what this service does: ${reason}`);
  }
}

/** The arguments of systemd-notify. */
function variables({ ready, reloading, stopping, status, mainPid, watchdog }: Notice, since: bigint): string[] {
  return [
    ...(mainPid === undefined ? [] : [`MAINPID=${mainPid}`]),
    ...(reloading === true ? ['RELOADING=1', `MONOTONIC_USEC=${since / 1000n}`] : []),
    ...(ready === true ? ['READY=1'] : []),
    ...(stopping === true ? ['STOPPING=1'] : []),
    ...(watchdog === true ? ['WATCHDOG=1'] : []),
    ...(status === undefined ? [] : [`STATUS=${oneLine(status)}`]),
  ];
}

/** A line end would begin another variable, and a null byte cannot be in an argument. */
const oneLine = (text: string): string => text.replace(/[\0-\x1f\x7f]+/g, ' ').slice(0, 500);

function emitWarning(text: string): void {
  process.emitWarning(text, { type: 'SystemdWarning', code: 'CLUSTER_INTERNALS_NOTIFY' });
}

const ofThisProcess = new Notifier();
