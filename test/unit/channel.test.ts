/** The channel between this process and a real child that `fork` of lib/child_process.ts has started. */
import childProcess, { type ChildProcess } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { ChannelForkOptions } from '../../internal/channel/spawn';
import type { ProcessWithChannel } from '../../internal/channel/attach_channel';
import { Inbox, cleanEnvironment, compiled, endChildrenAfterEachTest, event, fixture, keep, thrownBy, within } from '../support/children';

endChildrenAfterEachTest();

const file = fixture('unit-channel-child.js');

function fork(program: string, options: ChannelForkOptions = {}): ChildProcess {
  const ours = compiled<{ fork: typeof childProcess.fork }>('lib/child_process.js');
  return keep(ours.fork(file, [program], { execArgv: [], env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'inherit', 'ipc'], ...options }));
}

/** The members without Node's narrow types: a JavaScript program can call `send` with anything. */
const loose = (child: ChildProcess): ProcessWithChannel => child as unknown as ProcessWithChannel;

async function exit(child: ChildProcess): Promise<unknown[]> {
  return event(child, 'exit');
}

const both = describe.each(['json', 'advanced'] as const);

test('D40: a message whose toJSON ends the channel is refused, and disconnect is emitted once', async () => {
  const child = fork('echo');
  const ends: unknown[] = [];
  child.on('disconnect', () => ends.push('disconnect'));
  const refused = new Promise((resolve) => {
    child.send({ toJSON: () => (child.disconnect(), 'late') } as never, (error) => resolve((error as NodeJS.ErrnoException | null)?.code));
  });
  expect(await refused).toBe('ERR_IPC_CHANNEL_CLOSED');
  await exit(child);
  expect(ends).toEqual(['disconnect']);
});

// Each callback waits for those of earlier messages, and their ticks had been dropped. Stock Node loses only what was sent meanwhile.
test('process.nextTick is replaced for a while, as by fake timers, and never called: all callbacks come, and all messages', async () => {
  const child = fork('echo');
  const inbox = new Inbox<number>(child);
  const { nextTick } = process;
  const called: number[] = [];
  const last = within<void>(30_000, 'the last callback', (resolve) => {
    const send = (number: number): void => void child.send(number, () => {
      called.push(number);
      if (number === 500) resolve();
    });
    process.nextTick = () => undefined;
    try {
      for (let number = 0; number < 500; number++) send(number);
    } finally {
      process.nextTick = nextTick;
    }
    send(500);
  });
  const all = Array.from({ length: 501 }, (_, number) => number);
  expect(await inbox.take(501)).toEqual(all);
  await last;
  expect(called).toEqual(all);
});

both('order (%s)', (serialization) => {
  test('10 000 messages come back in the order in which they were sent', async () => {
    const child = fork('echo', { serialization });
    const inbox = new Inbox(child);
    for (let at = 0; at < 10_000; at++) child.send(at % 3 === 0 ? { at, text: 'ä'.repeat(at % 40) } : at);
    const came = await inbox.take(10_000);
    const inOrder = came.every((message, at) => (typeof message === 'number' ? message : (message as { at: number }).at) === at);
    expect(inOrder).toBe(true);
  });

  test('messages of one turn, of ticks, microtasks and immediates keep the order of send', async () => {
    const child = fork('echo', { serialization });
    const inbox = new Inbox(child);
    const sent: unknown[] = [];
    const send = (message: unknown): void => {
      sent.push(message);
      child.send(message as never);
    };
    send('first');
    send('x'.repeat(70_000)); // longer than the limit up to which frames are joined
    send('third');
    process.nextTick(() => send('tick'));
    queueMicrotask(() => send('microtask'));
    setImmediate(() => send('immediate'));
    await new Promise((resolve) => setImmediate(resolve));
    send('x'.repeat(300_000)); // longer than the kernel's buffer
    send('last');
    expect(await inbox.take(sent.length)).toEqual(sent);
  });

  test('a message of 5 MB arrives whole, and what follows it too', async () => {
    const child = fork('echo', { serialization });
    const inbox = new Inbox(child);
    const large = 'ä€x'.repeat(900_000);
    child.send(large);
    child.send('after');
    expect(await inbox.next()).toBe(large);
    expect(await inbox.next()).toBe('after');
  });
});

test('I-12: values that JSON cannot express cross an advanced channel', async () => {
  const child = fork('echo', { serialization: 'advanced' });
  const inbox = new Inbox(child);
  const message = { map: new Map([[1n, new Set(['a'])]]), nothing: undefined, bytes: Buffer.from([1, 2, 3]) };
  child.send(message);
  const copy = await inbox.next() as typeof message;
  expect(copy).toEqual(message);
  expect('nothing' in copy).toBe(true);
});

describe('send', () => {
  test('I-20: the callback may be passed in place of the handle, in place of the options, or last', async () => {
    const child = fork('echo');
    const inbox = new Inbox(child);
    const called: unknown[] = [];
    const callback = (name: string) => (error: Error | null): void => void called.push([name, error]);
    const { send } = loose(child);
    send('a', callback('a'));
    send('b', undefined, callback('b'));
    send('c', null, {}, callback('c'));
    send('d', undefined, { keepOpen: true }, callback('d'));
    send('e', undefined, undefined, callback('e'));
    send('f');
    expect(called).toEqual([]); // I-24: never inside send
    expect(await inbox.take(6)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(called).toEqual([['a', null], ['b', null], ['c', null], ['d', null], ['e', null]]);
  });

  test('I-21: a falsy handle counts as no handle', async () => {
    const child = fork('echo');
    const inbox = new Inbox(child);
    for (const handle of [null, undefined, false, 0, '']) loose(child).send('bare', handle);
    expect(await inbox.take(5)).toEqual(Array(5).fill('bare'));
  });

  test('I-20, I-21: send throws for arguments that cannot be sent, with the code and the message of Node', async () => {
    const ours = loose(fork('echo'));
    const nodes = keep(childProcess.fork(file, ['echo'], { execArgv: [], env: cleanEnvironment() }));
    const calls: [name: string, call: (send: ProcessWithChannel['send']) => unknown, code: string][] = [
      ['nothing', (send) => (send as unknown as () => void)(), 'ERR_MISSING_ARGS'],
      ['undefined', (send) => send(undefined), 'ERR_MISSING_ARGS'],
      ['undefined and a callback', (send) => send(undefined, () => {}), 'ERR_MISSING_ARGS'],
      ['a symbol', (send) => send(Symbol('s')), 'ERR_INVALID_ARG_TYPE'],
      ['a function', (send) => send(function named() {}), 'ERR_INVALID_ARG_TYPE'],
      ['an anonymous function', (send) => send((() => () => {})()), 'ERR_INVALID_ARG_TYPE'],
      ['a bigint', (send) => send(5n), 'ERR_INVALID_ARG_TYPE'],
      ['options null', (send) => send(1, undefined, null), 'ERR_INVALID_ARG_TYPE'],
      ['options a string', (send) => send(1, undefined, 'keepOpen'), 'ERR_INVALID_ARG_TYPE'],
      ['options a number', (send) => send(1, undefined, 5), 'ERR_INVALID_ARG_TYPE'],
      ['options true', (send) => send(1, undefined, true), 'ERR_INVALID_ARG_TYPE'],
      ['options an array', (send) => send(1, undefined, []), 'ERR_INVALID_ARG_TYPE'],
      ['a handle that is none', (send) => send(1, {}), 'ERR_INVALID_HANDLE_TYPE'],
      ['a handle that is true', (send) => send(1, true), 'ERR_INVALID_HANDLE_TYPE'],
      ['a handle that is a string', (send) => send(1, 'handle'), 'ERR_INVALID_HANDLE_TYPE'],
    ];
    for (const [name, call, code] of calls) {
      const mine = thrownBy(() => call(ours.send));
      const theirs = thrownBy(() => call(loose(nodes).send.bind(nodes)));
      expect([name, mine.code]).toEqual([name, code]);
      expect([name, mine.name, mine.message, mine.constructor]).toEqual([name, theirs.name, theirs.message, theirs.constructor]);
    }
    nodes.disconnect();
    await exit(nodes);
  });

  test('I-21: send throws for a circular object, alone or among others of its turn, and the channel works on', async () => {
    const child = fork('echo');
    const inbox = new Inbox(child);
    const circular: { self?: unknown } = {};
    circular.self = circular;
    expect(() => child.send(circular)).toThrow(/circular/i);
    child.send('one');
    expect(() => child.send(circular)).toThrow(/circular/i);
    expect(() => child.send({ toJSON() { throw new Error('mine'); } } as never)).toThrow('mine');
    child.send('two');
    expect(await inbox.take(2)).toEqual(['one', 'two']);
  });

  test('I-23, I-24: send returns false from 128 KiB unwritten on; every callback is called once the other end has read all', async () => {
    const child = fork('echo');
    const inbox = new Inbox(child);
    child.send('ready');
    await inbox.next();
    child.kill('SIGSTOP');
    const errors: unknown[] = [];
    const done = within<void>(30_000, 'three callbacks', (resolve) => {
      const callback = (error: Error | null): void => void (errors.push(error) === 3 && resolve());
      expect(child.send('x'.repeat(100 << 10), callback)).toBe(true); // below 128 KiB, even if the kernel took nothing
      expect(child.send('x'.repeat(1 << 20), callback)).toBe(false); // the kernel takes 208 KiB at most
      expect(child.send('small', callback)).toBe(false);
    });
    // A later turn: every joined frame was written by then, to the kernel or to libuv's queue.
    await new Promise((resolve) => setImmediate(resolve));
    expect(child.send('another turn')).toBe(false);
    expect(errors.length).toBeLessThan(3);
    child.kill('SIGCONT');
    await done;
    expect(errors).toEqual([null, null, null]);
    expect((await inbox.take(4)).map((message) => (message as string).length)).toEqual([100 << 10, 1 << 20, 5, 12]);
  });

  test('I-23: messages of one turn that are joined into one write count towards the 128 KiB', async () => {
    const child = fork('echo');
    child.send('ready');
    await event(child, 'message');
    child.kill('SIGSTOP');
    child.send('x'.repeat(1 << 20)); // fills the kernel's buffer
    await new Promise((resolve) => setImmediate(resolve));
    const results = Array.from({ length: 4 }, () => child.send('y'.repeat(1000)));
    expect(results).toEqual([false, false, false, false]);
    child.kill('SIGCONT');
  });

  test('I-22: on a closed channel send returns false, and the callback or error gets ERR_IPC_CHANNEL_CLOSED in a later tick', async () => {
    const child = fork('listens');
    child.disconnect();
    const errors: string[] = [];
    child.on('error', (error: NodeJS.ErrnoException) => errors.push(`event ${error.code}`));
    const called = within<Error | null>(30_000, 'callback', (resolve) => {
      expect(child.send('late', (error) => resolve(error))).toBe(false);
    });
    expect(loose(child).send('later')).toBe(false);
    expect(loose(child).send(undefined)).toBe(false); // a closed channel does not check its arguments
    expect(errors).toEqual([]);
    expect(await called).toMatchObject({ code: 'ERR_IPC_CHANNEL_CLOSED', message: 'Channel closed' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(errors).toEqual(['event ERR_IPC_CHANNEL_CLOSED', 'event ERR_IPC_CHANNEL_CLOSED']);
    await exit(child);
  });

  test('I-59: a write to a dead child fails with EPIPE, ECONNRESET or a closed channel', async () => {
    const child = fork('listens');
    child.send('ready');
    child.kill('SIGKILL');
    await event(child, 'exit');
    const error = await within<Error | null>(30_000, 'callback', (resolve) => void child.send('late', resolve));
    expect(['EPIPE', 'ECONNRESET', 'ERR_IPC_CHANNEL_CLOSED']).toContain((error as NodeJS.ErrnoException).code);
  });
});

describe('receiving', () => {
  test('I-30: a message whose cmd is NODE_ and more is internal, every other one is a message, on both sides', async () => {
    const child = fork('sendsBothKinds');
    const came: [string, unknown][] = [];
    child.on('internalMessage', (message) => came.push(['internal', message]));
    await within<void>(30_000, 'the last message', (resolve) => child.on('message', (message) => {
      came.push(['message', message]);
      if (message === 'end') resolve();
    }));
    const internal = [{ cmd: 'NODE_X' }, { cmd: 'NODE_HANDLES' }];
    expect(came.filter(([kind]) => kind === 'internal').map(([, message]) => message)).toEqual(internal);
    expect(came.map(([, message]) => message)).toEqual([
      { cmd: 'NODE_' }, { cmd: 'NODE_X' }, { cmd: 'NODE' }, { cmd: 'node_x' }, { cmd: 5 }, { cmd: ['NODE_X'] },
      'NODE_X', { cmd: 'XNODE_' }, { cmd: 'NODE_HANDLES' }, null, ['NODE_X'], 'end',
    ]);

    const sorter = fork('sorts');
    const inbox = new Inbox<{ as: string }>(sorter);
    for (const cmd of ['NODE_', 'NODE_X', 'NODE_HANDLE', 'NODE_HANDLE_ACK', 'NODE_HANDLE_NACK', 'NODE_CLUSTER']) sorter.send({ cmd });
    expect((await inbox.take(6)).map(({ as }) => as)).toEqual(['message', ...Array(5).fill('internalMessage')]);
  });

  test('I-31: the child keeps messages until a listener is added, and emits them in order in a later tick', async () => {
    const child = fork('listensLate');
    for (const message of [1, 2, 3, { cmd: 'NODE_UNIT_GO' }]) child.send(message);
    const [report] = await event(child, 'message');
    expect(report).toEqual({ got: [1, 2, 3], later: true });
    child.send('leave');
    await exit(child);
  });

  test('I-31: the parent keeps messages, too; a listener to another event does not flush them, a message listener does', async () => {
    const child = fork('sendsEarly');
    await event(child, 'internalMessage');
    child.on('disconnect', () => {});
    await new Promise((resolve) => setImmediate(resolve));
    const got: unknown[] = [];
    child.on('message', (message) => got.push(message));
    expect(got).toEqual([]);
    await new Promise((resolve) => process.nextTick(resolve));
    expect(got).toEqual([1, 2, 3]);
    child.send('leave');
    await exit(child);
  });

  test('I-31: a once listener gets one message, the others wait for the next listener', async () => {
    const child = fork('sendsEarly');
    await event(child, 'internalMessage');
    expect(await event(child, 'message')).toEqual([1, undefined]);
    expect(await event(child, 'message')).toEqual([2, undefined]);
    child.send('leave');
    await exit(child);
  });

  test('I-31: a listener that gets a kept message may disconnect the channel; the other kept messages still come', async () => {
    const child = fork('sendsEarly');
    await event(child, 'internalMessage');
    const got: unknown[] = [];
    child.on('message', (message) => {
      got.push(message);
      if (got.length === 1) child.disconnect();
    });
    await event(child, 'disconnect');
    expect(got).toEqual([1, 2, 3]);
  });

  test('I-30: each message has a tick of its own: an exception in a listener does not touch the next', async () => {
    const child = fork('echo');
    const thrown: string[] = [];
    const earlier = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => thrown.push(error.message));
    try {
      const got: unknown[] = [];
      const last = within<void>(30_000, 'the last message', (resolve) => child.on('message', (message) => {
        got.push(message);
        if (message === 3) resolve();
        throw new Error(`of ${message}`);
      }));
      for (const message of [1, 2, 3]) child.send(message);
      await last;
      await new Promise((resolve) => setImmediate(resolve));
      expect(got).toEqual([1, 2, 3]);
      expect(thrown).toEqual(['of 1', 'of 2', 'of 3']);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of earlier) process.on('uncaughtException', listener);
    }
  });
});

describe('the end', () => {
  test('I-55, I-58: disconnect() never emits disconnect at once; a second disconnect() is an error at once', async () => {
    const child = fork('listens');
    const events: unknown[] = [];
    child.on('disconnect', () => events.push('disconnect'));
    child.on('error', (error: NodeJS.ErrnoException) => events.push(error.code, error.message));
    child.disconnect();
    expect([events.length, child.connected, child.channel, typeof child.send]).toEqual([0, false, null, 'function']);
    child.disconnect();
    expect(events).toEqual(['ERR_IPC_DISCONNECTED', 'IPC channel is already disconnected']);
    await event(child, 'close');
    expect(events.slice(2)).toEqual(['disconnect']);
  });

  test('I-55, I-58: the same in the child', async () => {
    const child = fork('disconnectsTwice');
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (data) => { text += data; });
    await event(child, 'close');
    expect(JSON.parse(text)).toEqual([
      'returned', false, 'ERR_IPC_DISCONNECTED', 'returned again', 'disconnect', false, null, 'function', false, 'ERR_IPC_CHANNEL_CLOSED', 'ERR_IPC_CHANNEL_CLOSED',
    ]);
  });

  test('I-55: messages that were sent in the turn of disconnect() arrive', async () => {
    const child = fork('echo');
    const inbox = new Inbox(child);
    child.send('ready');
    await inbox.next();
    const listener = fork('listens');
    listener.send('a');
    listener.send('leave');
    listener.disconnect();
    expect(await event(listener, 'close')).toEqual([0, null]);
  });

  both('I-57 (%s)', (serialization) => {
    test('messages that were complete before the end come before disconnect', async () => {
      const child = fork('sendsManyAndExits', { serialization });
      const got: unknown[] = [];
      let atDisconnect = -1;
      child.on('message', (message) => got.push((message as { at: number }).at));
      child.on('disconnect', () => { atDisconnect = got.length; });
      await event(child, 'close');
      expect(got).toEqual(Array.from({ length: 1000 }, (_, at) => at));
      expect(atDisconnect).toBe(1000);
    });

    test('messages that are sent before process.exit, and in exit listeners, arrive in order', async () => {
      const child = fork('exitsAtOnce', { serialization });
      const inbox = new Inbox(child);
      const closed = event(child, 'close');
      expect(await inbox.take(9)).toEqual([1, 2, 3, 4, 5, 'exit 1', 'exit 2', 'exit 3', 'exit 4']);
      expect(await closed).toEqual([3, null]);
    });
  });

  test('messages that are sent in ticks and microtasks before process.exit arrive', async () => {
    const child = fork('exitsInATick');
    const inbox = new Inbox(child);
    const closed = event(child, 'close');
    expect((await inbox.take(2))[0]).toBe('now');
    expect((await closed)[0]).toBe(4);
  });

  test.each([
    ['exits', (child: ChildProcess) => void child.disconnect(), 'listens'],
    ['is killed', (child: ChildProcess) => void child.kill('SIGKILL'), 'listens'],
    ['ends at once', () => {}, 'doesNothing'],
  ])('close is emitted once, after exit, disconnect and the end of stdout, when a child %s', async (_name, end, program) => {
    const child = fork(program);
    const events: string[] = [];
    for (const name of ['exit', 'disconnect', 'close']) child.on(name, () => events.push(name));
    child.stdout?.on('end', () => events.push('stdout')).resume();
    end(child);
    await event(child, 'close');
    await new Promise((resolve) => setImmediate(resolve));
    expect(events.at(-1)).toBe('close');
    expect([...events].sort()).toEqual(['close', 'disconnect', 'exit', 'stdout']);
  });

  test('C-34: a child that cannot be started emits error and disconnect, and no exit', async () => {
    const child = fork('listens', { cwd: '/no/such/directory' });
    const events: string[] = [];
    for (const name of ['error', 'disconnect', 'exit', 'close']) child.on(name, () => events.push(name));
    expect(child.pid).toBeUndefined();
    await event(child, 'disconnect');
    await new Promise((resolve) => setImmediate(resolve));
    expect(events.slice(0, 2).sort()).toEqual(['disconnect', 'error']);
    expect(events).not.toContain('exit');
  });
});

describe('what keeps a child alive', () => {
  test('I-60: a child without listeners ends by itself, the channel still open', async () => {
    const child = fork('doesNothing');
    expect(await exit(child)).toEqual([0, null]);
  });

  test('I-60, I-61: listeners to message and disconnect keep it alive, listeners to internalMessage do not, ref and unref overrule both for good', async () => {
    const child = fork('tellsWhatHolds', { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    const ended = exit(child);
    const [states] = await event(child, 'message');
    expect(states).toEqual({
      start: 0, message: 1, both: 1, disconnect: 1, none: 0, internal: 0, once: 1, fired: 0, ref: 1, unref: 0, listenerAfterUnref: 0,
    });
    expect(await ended).toEqual([0, null]);
  });

  test('I-60: after unref it ends although it has a listener', async () => {
    expect(await exit(fork('unrefsItsListener'))).toEqual([0, null]);
  });

  test('I-61: a once listener keeps it alive until the listener was called', async () => {
    const child = fork('takesOneMessage');
    const ended = exit(child);
    const answered = event(child, 'message');
    child.send('one');
    expect((await answered)[0]).toEqual({ got: 'one' });
    expect(await ended).toEqual([0, null]);
  });

  test('I-25: a pending write keeps it alive', async () => {
    const child = fork('writesALot');
    const ended = exit(child);
    const [message] = await event(child, 'message');
    expect((message as string).length).toBe(4 << 20);
    expect(await ended).toEqual([6, null]);
  });

  test('a child with a message listener answers as long as the parent wants, and ends when it disconnects', async () => {
    const child = fork('echo');
    const inbox = new Inbox(child);
    child.send(1);
    expect(await inbox.next()).toBe(1);
    child.disconnect();
    expect(await exit(child)).toEqual([0, null]);
  });
});

describe('traces', () => {
  interface Surroundings {
    env: NodeJS.ProcessEnv; execArgv: string[]; argv: string[]; link: string; fds: string[];
    grandchild: { env: NodeJS.ProcessEnv; send: string; fds: string[] };
  }

  test.each([['json'], ['advanced']] as const)('I-2: env, argv and execArgv show no trace of the channel, and a grandchild inherits neither a trace nor the fd (%s)', async (serialization) => {
    const child = fork('tellsItsSurroundings', { serialization, execArgv: ['--no-warnings'], env: cleanEnvironment({ OWN: 'kept' }) });
    const [report] = await event<[Surroundings]>(child, 'message');
    const plain = cleanEnvironment({ OWN: 'kept' });
    expect(Object.keys(report.env).sort()).toEqual(Object.keys(plain).sort());
    expect(report.execArgv).toEqual(['--no-warnings']);
    expect(report.argv).toEqual(['tellsItsSurroundings']);
    expect(report.link).toMatch(/^socket:/);
    expect(report.fds).toContain(report.link);
    expect(report.grandchild.fds).not.toContain(report.link);
    expect(report.grandchild.send).toBe('undefined');
    expect(Object.keys(report.grandchild.env).filter((name) => /CHANNEL|CLUSTER/.test(name))).toEqual([]);
  });

  test('I-3: send, connected, disconnect and channel are own properties of process, and an app that counts listeners finds none of ours', async () => {
    const [shape] = await event(fork('tellsItsShape'), 'message');
    expect(shape).toEqual({
      own: [['send', 'function', true], ['connected', 'boolean', true], ['disconnect', 'function', true], ['channel', 'object', true]],
      listeners: [0, 0, 0], channel: ['function', 'function'],
    });
  });
});

describe('fork', () => {
  test('I-1, C-33: bad arguments are refused with the code of Node, before anything is started', () => {
    const { fork: ours } = compiled<{ fork(...args: unknown[]): ChildProcess }>('lib/child_process.js');
    const stock = childProcess.fork as unknown as typeof ours;
    const bad: [name: string, ...args: unknown[]][] = [
      ['no path'], ['path null', null], ['path a number', 5], ['path with a zero byte', 'a\0b'],
      ['args a string', file, 'args'], ['args a number', file, 5], ['options a string', file, [], 'options'],
      ['stdio without ipc', file, [], { stdio: ['ignore', 'ignore', 'ignore'] }],
      ['two ipc', file, [], { stdio: ['ipc', 'ignore', 'ignore', 'ipc'] }],
      ['stdio unknown', file, [], { stdio: 'nonsense' }],
      ['serialization unknown', file, [], { serialization: 'nonsense' }],
      ['cwd a number', file, [], { cwd: 5 }], ['env key', file, [], { env: { A: 'a\0b' } }], ['execPath a number', file, [], { execPath: 5 }],
      ['an argument with a zero byte', file, ['a\0b']], ['execArgv null', file, [], { execArgv: 5 }],
    ];
    for (const [name, ...args] of bad) {
      expect([name, codeOf(() => ours(...args))]).toEqual([name, codeOf(() => stock(...args))]);
    }
  });
});

/** The error code that `start` throws. If it starts a child nevertheless, that child is ended. */
function codeOf(start: () => ChildProcess): string | undefined {
  try {
    keep(start()).on('error', () => {});
    return 'started';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).name;
  }
}
