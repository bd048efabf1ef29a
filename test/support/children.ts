/**
 * Children of a unit test: started over our own channel from `dist/`, waited for by event with a
 * deadline, and ended after each test, whatever became of it.
 */
import type { ChildProcess } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import path from 'node:path';
import { afterEach } from 'vitest';
import type { ChannelForkOptions, fork as forkOnChannel } from '../../internal/channel/spawn';
import { cleanEnvironment } from './environment';
import { dist, root } from './program';

export const fixture = (file: string): string => path.join(root, 'test/fixtures', file);

/** A module as the children load it: plain JavaScript, with Node's own `require` and its cache. */
export function compiled<Module>(file: string): Module {
  return require(dist(file)) as Module;
}

const alive = new Set<ChildProcess>();

/** Forks a fixture over our channel, in an environment and with flags that the test runner did not touch. */
export function forkFixture(file: string, program: string, options: ChannelForkOptions = {}): ChildProcess {
  const { fork } = compiled<{ fork: typeof forkOnChannel }>('internal/channel/spawn.js');
  return keep(fork(fixture(file), program.split(' '), { execArgv: [], env: cleanEnvironment(), ...options }));
}

/** Ends this child after the test, unless it has ended by then. */
export function keep(child: ChildProcess): ChildProcess {
  alive.add(child);
  child.once('exit', () => alive.delete(child));
  return child;
}

/** Call it once in a file that forks. */
export function endChildrenAfterEachTest(): void {
  afterEach(async () => {
    const left = [...alive].filter(({ pid, exitCode, signalCode }) => pid !== undefined && exitCode === null && signalCode === null);
    alive.clear();
    for (const child of left) {
      // Node emits no 'close' for a child that its parent has disconnected from, but always an 'exit'.
      const ended = event(child, 'exit');
      child.on('error', () => {}).kill('SIGKILL');
      await ended;
    }
    // Node reports the ends of the children's pipes in the turns after 'exit'.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  });
}

/** The arguments of the next `name`; rejects after the deadline. */
export function event<Arguments extends unknown[] = unknown[]>(emitter: EventEmitter, name: string, deadline = 30_000): Promise<Arguments> {
  return within(deadline, `event '${name}'`, (resolve) => emitter.once(name, (...args: unknown[]) => resolve(args as Arguments)));
}

/** A promise that rejects when `start` has not resolved it by the deadline. */
export function within<Value>(deadline: number, what: string, start: (resolve: (value: Value) => void, reject: (error: Error) => void) => void): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} did not come within ${deadline} ms`)), deadline);
    start((value) => {
      clearTimeout(timer);
      resolve(value);
    }, (error) => {
      clearTimeout(timer);
      reject(error);
    });
  });
}

/** Everything that comes as 'message', in order, and what came with it. */
export class Inbox<Message = unknown> {
  readonly #came: [message: Message, handle: unknown][] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(source: EventEmitter) {
    source.on('message', (message: Message, handle: unknown) => {
      this.#came.push([message, handle]);
      for (const wake of this.#waiting.splice(0)) wake();
    });
  }

  /** Takes the next message with its handle. */
  async nextWithHandle(): Promise<[message: Message, handle: unknown]> {
    while (this.#came.length === 0) {
      await within<void>(30_000, 'a message', (resolve) => this.#waiting.push(() => resolve()));
    }
    return this.#came.shift() as [Message, unknown];
  }

  async next(): Promise<Message> {
    return (await this.nextWithHandle())[0];
  }

  async take(count: number): Promise<Message[]> {
    const messages: Message[] = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }
}

/** What `call` throws; fails if it throws nothing. */
export function thrownBy(call: () => unknown): NodeJS.ErrnoException {
  try {
    call();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('nothing was thrown');
}

export { cleanEnvironment } from './environment';
export { seeded } from './seeded';
