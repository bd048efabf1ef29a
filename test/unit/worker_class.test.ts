/** The class Worker, as both roles make it. */
import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { workerClass, type Role, type WorkerOptions } from '../../internal/worker';

function made(role: Partial<Role> = {}): { Worker: ReturnType<typeof workerClass>; calls: unknown[][] } {
  const calls: unknown[][] = [];
  const Worker = workerClass({
    disconnect: (...args) => void calls.push(['disconnect', ...args]), destroy: (...args) => void calls.push(['destroy', ...args]),
    dispose: null, mayIgnore: () => false, ...role,
  });
  return { Worker, calls };
}

class FakeChild extends EventEmitter {
  connected = true;
  exitCode: number | null = null;
  signalCode: NodeJS.Signals | null = null;
  readonly sent: unknown[][] = [];
  answer = true;
  send(...args: unknown[]): boolean {
    this.sent.push(args);
    return this.answer;
  }
}

describe('C-60', () => {
  const { Worker } = made();

  test('with or without new it is a Worker and an EventEmitter', () => {
    for (const worker of [new Worker({ id: 3 }), Worker({ id: 3 })]) {
      expect(worker).toBeInstanceOf(Worker);
      expect(worker).toBeInstanceOf(EventEmitter);
      expect([worker.id, worker.state, worker.exitedAfterDisconnect]).toEqual([3, 'none', undefined]);
      expect('process' in worker).toBe(false);
    }
    expect(Worker.name).toBe('Worker');
    expect(Worker.length).toBe(1);
  });

  test('its own fields, in this order', () => {
    const worker = new Worker({ process: new FakeChild(), id: 1, state: 'online' });
    const own = Object.keys(worker).filter((name) => !name.startsWith('_'));
    expect(own).toEqual(['exitedAfterDisconnect', 'state', 'id', 'process']);
    expect(worker.state).toBe('online');
  });

  test.each<[id: unknown, expected: number]>([['7', 7], ['7x', 0], [undefined, 0], [null, 0], [3.9, 3], [{}, 0], [2 ** 32 + 5, 5]])('id %j becomes %i', (id, expected) => {
    expect(new Worker({ id } as WorkerOptions).id).toBe(expected);
  });

  test.each([[undefined], [null], ['text'], [5], [true]])('options that are %j count as none', (options) => {
    const worker = new Worker(options as never);
    expect([worker.id, worker.state, 'process' in worker]).toEqual([0, 'none', false]);
  });

  test('message and error of the process are its own, with all that came', () => {
    const child = new FakeChild();
    const worker = new Worker({ process: child });
    const got: unknown[][] = [];
    for (const name of ['message', 'error']) worker.on(name, (...args) => got.push([name, ...args]));
    child.emit('message', 'text', 'handle');
    child.emit('error', 'a', 'b');
    child.emit('exit', 0);
    child.emit('disconnect');
    expect(got).toEqual([['message', 'text', 'handle'], ['error', 'a', 'b']]);
  });

  test('C-63: an error that nobody listens for is thrown, unless the role may ignore it', () => {
    const child = new FakeChild();
    new Worker({ process: child });
    const error = new Error('of the channel');
    expect(() => child.emit('error', error)).toThrow(error);

    const other = new FakeChild();
    const lenient = made({ mayIgnore: (reason) => reason === error }).Worker;
    const worker = new lenient({ process: other });
    other.emit('error', error);
    expect(() => other.emit('error', new Error('of ours'))).toThrow('of ours');
    const got: unknown[] = [];
    worker.on('error', (reason) => got.push(reason));
    other.emit('error', error);
    expect(got).toEqual([error]);
  });
});

describe('C-61', () => {
  test('the names of the prototype', () => {
    const { Worker } = made();
    expect(Object.getOwnPropertyNames(Worker.prototype).sort()).toEqual(['constructor', 'destroy', 'disconnect', 'isConnected', 'isDead', 'kill', 'send']);
    expect(Worker.prototype.constructor).toBe(Worker);
    expect(Object.getPrototypeOf(Worker.prototype)).toBe(EventEmitter.prototype);
    expect(Object.getPrototypeOf(Worker)).toBe(EventEmitter);
  });

  test('send passes everything on and gives the answer', () => {
    const child = new FakeChild();
    const worker = new (made().Worker)({ process: child });
    const callback = (): void => {};
    expect(worker.send('m', 'h', { keepOpen: true }, callback)).toBe(true);
    child.answer = false;
    expect(worker.send('n')).toBe(false);
    expect(child.sent).toEqual([['m', 'h', { keepOpen: true }, callback], ['n']]);
  });

  test('kill is destroy, also one that an app has put there; it returns undefined', () => {
    const { Worker, calls } = made();
    const worker = new Worker({ process: new FakeChild() });
    expect(worker.kill('SIGUSR2')).toBeUndefined();
    expect(worker.destroy()).toBeUndefined();
    expect(calls).toEqual([['destroy', worker, 'SIGUSR2'], ['destroy', worker, undefined]]);
    const own: unknown[] = [];
    worker.destroy = (...args) => void own.push(args);
    worker.kill('SIGINT');
    expect(own).toEqual([['SIGINT']]);
  });

  test('disconnect returns the worker', () => {
    const { Worker, calls } = made();
    const worker = new Worker({ process: new FakeChild() });
    expect(worker.disconnect()).toBe(worker);
    expect(calls).toEqual([['disconnect', worker]]);
  });

  test.each<[exitCode: number | null, signalCode: NodeJS.Signals | null, dead: boolean]>([[null, null, false], [0, null, true], [1, null, true], [null, 'SIGKILL', true]])(
    'exit code %j, signal %j: isDead() %j', (exitCode, signalCode, dead) => {
      const worker = new (made().Worker)({ process: Object.assign(new FakeChild(), { exitCode, signalCode }) });
      expect(worker.isDead()).toBe(dead);
    });

  test('C-62: in a worker, whose process has no signalCode, isDead reads the exit code that the app has set', () => {
    const own = Object.assign(new EventEmitter(), { exitCode: undefined as number | undefined });
    const worker = new (made().Worker)({ process: own });
    expect(worker.isDead()).toBe(false);
    own.exitCode = 1;
    expect(worker.isDead()).toBe(true);
  });

  test('isConnected is what the process says', () => {
    const child = new FakeChild();
    const worker = new (made().Worker)({ process: child });
    expect(worker.isConnected()).toBe(true);
    child.connected = false;
    expect(worker.isConnected()).toBe(false);
  });
});

test('the two roles of one process have classes of their own', () => {
  const [one, other] = [made(), made()];
  expect(one.Worker).not.toBe(other.Worker);
  expect(new one.Worker()).not.toBeInstanceOf(other.Worker);
});
