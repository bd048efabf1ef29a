/** Listeners of the app that throw where ours are added or called; options that are getters; a process that stood still. */
import { spawn } from 'node:child_process';
import type { Worker } from 'node:cluster';
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { attach, detach } from '../../internal/supervisor/app_calls';
import { epochClock } from '../../internal/clock';
import { isEnding } from '../../internal/supervisor/ending_process';
import { checkOptions, type SuperviseOptions } from '../../internal/supervisor/options';
import { PrimaryEnd } from '../../internal/supervisor/primary_end';
import { WorkerProcess } from '../../internal/supervisor/worker_process';
import { Health } from '../../internal/supervisor/health';
import type { CheckedOptions } from '../../internal/supervisor/options';
import { TestClock, World } from '../support/fleet_world';

/** Runs `body`, and returns the messages of the uncaught exceptions during it. */
async function uncaught(body: () => void | Promise<void>): Promise<string[]> {
  const thrown: string[] = [];
  const others = process.rawListeners('uncaughtException') as ((error: Error) => void)[];
  process.removeAllListeners('uncaughtException');
  const note = (error: Error): void => void thrown.push(error.message);
  process.on('uncaughtException', note);
  try {
    await body();
    await new Promise(setImmediate);
  } finally {
    process.removeListener('uncaughtException', note);
    for (const other of others) process.on('uncaughtException', other);
  }
  return thrown;
}

const thrower = (text: string) => (): never => { throw new Error(text); };

test('listeners of newListener and removeListener that throw: our listener is added and removed nevertheless, and other listeners are called', async () => {
  const emitter = new EventEmitter();
  const told: unknown[] = [];
  emitter.on('newListener', (name) => told.push(name));
  emitter.prependListener('newListener', thrower('new'));
  let calls = 0;
  const ours = (): void => void calls++;
  const thrown = await uncaught(() => {
    told.length = 0;
    attach(emitter, 'event', ours, 'first');
    emitter.emit('event');
    emitter.removeAllListeners('newListener');
    emitter.on('removeListener', thrower('removed'));
    detach(emitter, 'event', ours);
    emitter.emit('event');
  });
  expect([calls, told, thrown, Object.keys(emitter).includes('emit')]).toEqual([1, ['event'], ['new', 'removed'], false]);
});

test('a signal reaches our listener although a listener of newListener of the process throws', async () => {
  const fail = thrower('process');
  const signalled = new Promise<void>((resolve) => {
    void uncaught(async () => {
      (process as EventEmitter).prependListener('newListener', fail);
      attach(process, 'SIGUSR2', resolve);
      (process as EventEmitter).removeListener('newListener', fail);
      process.kill(process.pid, 'SIGUSR2');
    });
  });
  await signalled;
  process.removeAllListeners('SIGUSR2');
});

describe('a worker', () => {
  /** A fake worker. Like a cluster, it emits each event of its child as an event of the worker too. */
  function fork(ready: CheckedOptions['ready'], pid = 1): { child: EventEmitter; states: () => string; member: WorkerProcess; ended: string[]; clock: TestClock } {
    const child = Object.assign(new EventEmitter(), { stderr: null, spawnargs: [], pid, send: () => true, kill: () => true });
    const worker = Object.assign(new EventEmitter(), { id: 1, process: child, isConnected: () => true, exitedAfterDisconnect: false, disconnect: () => undefined });
    const ended: string[] = [];
    const clock = new TestClock();
    const member = new WorkerProcess(worker as unknown as Worker, 1, { ...new World().fleet.rollout.stable, exec: 'app.js' }, { ...checkOptions({ exec: 'app.js' }), ready }, {
      clock, random: () => 0.5, leaving: () => ({ delayMs: 0, move: false }), expected: () => new Set<string>(), output: null, transition: () => undefined,
      ready: () => void ended.push('ready'), retiring: () => undefined, lost: () => void ended.push('lost'), ended: () => void ended.push('ended'),
    });
    for (const name of ['online', 'listening', 'message', 'disconnect', 'exit']) worker.prependListener(name, thrower(name));
    child.on('internalMessage', ({ act }) => worker.emit(act, {}));
    for (const name of ['message', 'disconnect', 'exit']) child.on(name, (...given) => worker.emit(name, ...given));
    return { child, member, ended, states: () => member.state.is, clock };
  }

  test.each([
    ['online', 'internalMessage', { cmd: 'NODE_CLUSTER', act: 'online' }],
    ['listening', 'internalMessage', { cmd: 'NODE_CLUSTER', act: 'listening', address: '127.0.0.1', port: 80 }],
    ['message', 'message', 'ready'],
  ] as const)('ready by %s, and gone, although a listener before ours throws', async (rule, event, given) => {
    const { child, ended } = fork(rule);
    await uncaught(() => expect(() => child.emit(event, given)).toThrow(rule));
    expect(ended).toEqual(['ready']);
    await uncaught(() => expect(() => child.emit('disconnect')).toThrow('disconnect'));
    await uncaught(() => expect(() => child.emit('exit', 0, null)).toThrow('exit'));
    expect(ended).toEqual(['ready', 'ended']);
  });

  // It counted as "disconnected", and was replaced although it had ended by a code of stopExitCodes.
  test('a process that ends is lost by its exit, also a while after its disconnect; one that runs on, or does not end within 10 s, by its disconnect', async () => {
    const parent = spawn('sh', ['-c', 'sleep 1000 & echo $!; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const zombie = Number((await once(parent.stdout, 'data'))[0]);
      parent.kill('SIGSTOP'); // So nobody takes note of the end of its child.
      process.kill(zombie, 'SIGKILL');
      await vi.waitUntil(() => isEnding(zombie), { timeout: 20_000 });
      expect([isEnding(parent.pid as number), isEnding(process.pid), isEnding(2 ** 30)]).toEqual([false, false, false]);
      const [soon, late] = [1_000, 11_000];
      for (const [pid, ms, during, lost] of [[zombie, soon, 'starting', []], [zombie, late, 'leaving', ['lost']], [parent.pid as number, soon, 'leaving', ['lost']]] as const) {
        const { child, member, states, ended, clock } = fork('listening', pid);
        await uncaught(() => expect(() => child.emit('disconnect')).toThrow('disconnect'));
        clock.pass(ms);
        expect([states(), ended]).toEqual([during, lost]);
        await uncaught(() => expect(() => child.emit('exit', 17, null)).toThrow('exit'));
        expect([member.state, ended, clock.waiting]).toMatchObject([{ is: 'gone', reason: lost.length === 0 ? 'exited with 17' : 'disconnected', code: 17 }, [...lost, 'ended'], 0]);
      }
    } finally {
      parent.kill('SIGKILL');
      await once(parent, 'close');
    }
  });
});

test('each option is read once, and later changes have no effect', () => {
  const reads: string[] = [];
  const counting = <Options extends object>(options: Options): Options => {
    const getters: Record<string, PropertyDescriptor> = {};
    for (const [name, value] of Object.entries(options)) getters[name] = { enumerable: true, get: () => (reads.push(name), value as unknown) };
    return Object.create(null, getters) as Options;
  };
  const args = ['one'];
  const env = { A: '1' };
  const given: SuperviseOptions = {
    exec: 'app.js', cwd: '/', args, env, exitAfterMs: 5, ready: counting({ http: counting({ path: '/', port: 80 }) }), recycle: counting({ ageMs: 5, jitter: 0 }),
  };
  const checked = checkOptions(counting(given));
  expect([...reads].sort()).toEqual(['ageMs', 'args', 'cwd', 'env', 'exec', 'exitAfterMs', 'http', 'jitter', 'path', 'port', 'ready', 'recycle']);
  args.push('two');
  Object.assign(env, { A: '2' });
  expect([checked.args, checked.env]).toEqual([['one'], { A: '1' }]);
  expect(() => checkOptions({ env: 'A=1' as never })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
});

describe('time that stood still', () => {
  test('an answer that has arrived is read before a deadline that passed while the process was busy', async () => {
    const order: string[] = [];
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect((server.address() as { port: number }).port, '127.0.0.1');
    const [socket] = await once(server, 'connection') as [Socket];
    socket.on('data', () => order.push('answer'));
    const late = new Promise<void>((resolve) => {
      epochClock.after(5, () => {
        order.push('deadline');
        resolve();
      });
    });
    client.write('answer');
    const end = performance.now() + 20;
    while (performance.now() < end);
    await late;
    expect(order).toEqual(['answer', 'deadline']);
    client.destroy();
    socket.destroy();
    server.close();
    await once(server, 'close');
  });

  test('a primary that was stopped waits for the answer for another pingTimeoutMs', () => {
    let now = 0;
    const due: (() => void)[] = [];
    let silences = 0;
    const health = new Health({ pingMs: 100, pingTimeoutMs: 500, recycle: { rssBytes: Infinity, requests: Infinity, ageMs: Infinity, jitter: 0 } } as unknown as CheckedOptions, {
      clock: { now: () => now, after: (_ms, call) => (due.push(call), () => undefined) },
      random: () => 0.5, ping: () => undefined, tooOld: () => undefined, isDebugged: (answer) => answer(false), silent: () => void silences++,
    });
    const passes = (ms: number): void => {
      now += ms;
      due.shift()?.();
    };
    health.start(false);
    passes(100);
    passes(60_000);
    expect(silences).toBe(0);
    passes(500);
    expect(silences).toBe(1);
  });
});

test('two supervisors in one process: it exits when both have nothing left, and not while a third one serves', async () => {
  let exits = 0;
  const ending = { get: () => undefined, set: () => undefined, exit: () => void exits++ };
  const [one, two, three] = [new PrimaryEnd(0, ending), new PrimaryEnd(0, ending), new PrimaryEnd(0, ending)] as const;
  const turn = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve, 2); });
  one.cancel();
  two.cancel();
  one.nothingLeft(true);
  one.exitNow();
  await turn();
  expect(exits).toBe(0);
  two.nothingLeft(false);
  three.cancel();
  await turn();
  expect(exits).toBe(0);
  three.nothingLeft(true);
  await turn();
  expect(exits).toBe(1);
});
