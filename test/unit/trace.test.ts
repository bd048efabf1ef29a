/** The three diagnostics channels, and the printer that NODE_DEBUG switches on. */
import diagnostics from 'node:diagnostics_channel';
import { afterEach, describe, expect, test } from 'vitest';
import { traceHandle, traceMessage, traceState } from '../../internal/trace';
import { cleanEnvironment, fixture } from '../support/children';
import { run } from '../support/program';

const names = ['message', 'handle', 'state'] as const;
const subscriptions: (() => void)[] = [];
afterEach(() => {
  for (const end of subscriptions.splice(0)) end();
});

function collect(name: (typeof names)[number]): unknown[] {
  const events: unknown[] = [];
  const listener = (event: unknown): void => void events.push(event);
  diagnostics.subscribe(`cluster-internals:${name}`, listener);
  subscriptions.push(() => diagnostics.unsubscribe(`cluster-internals:${name}`, listener));
  return events;
}

describe('published', () => {
  test('a message: sender, receiver, sent or received; the fd only if a handle was sent with it', () => {
    const events = collect('message');
    const message = { cmd: 'NODE_CLUSTER', act: 'online', seq: 0 };
    traceMessage('sent', 'W1', 'P', message);
    traceMessage('received', 'P', 'W1', message, { fd: 12 });
    traceMessage('received', 'P', 'W1', message, {});
    traceMessage('sent', 'P', 'W1', message, null);
    expect(events).toEqual([
      { from: 'W1', to: 'P', way: 'sent', message }, { from: 'P', to: 'W1', way: 'received', message, fd: 12 },
      { from: 'P', to: 'W1', way: 'received', message, fd: -1 }, { from: 'P', to: 'W1', way: 'sent', message },
    ]);
    expect((events[0] as { message: unknown }).message).toBe(message);
  });

  test('38: a message without its data, which are ticket keys; the message itself is not changed', () => {
    const events = collect('message');
    const message = { cmd: 'NODE_CLUSTER', act: 'queryServer', data: { ticketKeys: '00' }, seq: 0 };
    traceMessage('sent', 'W1', 'P', message);
    expect(events).toEqual([{ from: 'W1', to: 'P', way: 'sent', message: { ...message, data: '[redacted]' } }]);
    expect(message.data).toEqual({ ticketKeys: '00' });
  });

  test('a handle: what has happened to it, and its fd', () => {
    const events = collect('handle');
    traceHandle('queued', 'key', { fd: 7 });
    traceHandle('closed', 'key', {});
    traceHandle('closed', 'key', null);
    expect(events).toEqual([{ event: 'queued', where: 'key', fd: 7 }, { event: 'closed', where: 'key', fd: -1 }, { event: 'closed', where: 'key', fd: -1 }]);
  });

  test('a state: whose, from which, to which', () => {
    const events = collect('state');
    traceState('W1', 'none', 'online');
    expect(events).toEqual([{ what: 'W1', from: 'none', to: 'online' }]);
  });

  test('each event only on its own channel; nothing when nobody subscribes', () => {
    const all = names.map((name) => collect(name));
    traceMessage('sent', 'P', 'W1', {});
    expect(all.map(({ length }) => length)).toEqual([1, 0, 0]);
    traceHandle('adopted', 'key', null);
    traceState('W1', 'a', 'b');
    expect(all.map(({ length }) => length)).toEqual([1, 1, 1]);
    for (const end of subscriptions.splice(0)) end();
    traceMessage('sent', 'P', 'W1', {});
    expect(all.map(({ length }) => length)).toEqual([1, 1, 1]);
  });

  test('without a subscriber the fd of a handle is not read', () => {
    const handle = { get fd(): number { throw new Error('asked'); } };
    traceMessage('sent', 'P', 'W1', {}, handle);
    traceHandle('queued', 'key', handle);
    collect('handle');
    expect(() => traceHandle('queued', 'key', handle)).toThrow('asked');
  });
});

describe('NODE_DEBUG', () => {
  const program = fixture('unit-loaded-files.js');

  test('=cluster-internals prints the life of a connection, each process its own lines, in the words of internal/README.md', async () => {
    const { code, stderr } = await run(program, { env: cleanEnvironment({ NODE_DEBUG: 'net-nothing,cluster-internals' }) });
    expect(code).toBe(0);
    const lines = stderr.trim().split('\n');
    const pids = new Set(lines.map((line) => /^CLUSTER-INTERNALS (\d+): /.exec(line)?.[1]));
    expect(pids.size).toBe(2);
    expect(pids.has(undefined)).toBe(false);
    /** In this order, whatever else is between: a process's own lines are in order. */
    const inOrder = (...patterns: RegExp[]): void => {
      let from = 0;
      for (const pattern of patterns) {
        const at = lines.findIndex((line, index) => index >= from && pattern.test(line));
        expect(at, `${pattern} after line ${from} of\n${stderr}`).toBeGreaterThanOrEqual(0);
        from = at + 1;
      }
    };
    inOrder(/W1 → P online seq=0 \(received\)/, /W1: none → online/, /W1 → P queryServer .*address='127\.0\.0\.1' port=0 .*\(received\)/,
      /: binding → listening/, /P → W1 reply to 1 errno=null key='127\.0\.0\.1:0:4:undefined:0' .*sockname=/,
      /W1 → P listening .*\(received\)/, /W1: online → listening/, /queued fd=\d+/, /P → W1 newconn key='127\.0\.0\.1:0:4:undefined:0' seq=\d+ fd=\d+$/,
      /W1 → P accepted upTo=\d+.*\(received\)/, /P → W1 disconnect/, /W1: listening → disconnected/);
    inOrder(/W1 → P online seq=0$/, /W1 → P queryServer /, /P → W1 newconn .*fd=\d+ \(received\)/, /W1 → P accepted upTo=/, / delivered fd=/);
    expect(stderr).not.toContain('NODE_CLUSTER');
  });

  test.each([[undefined], ['net-nothing'], ['']])('%j prints nothing', async (value) => {
    const { code, stderr } = await run(program, { env: cleanEnvironment({ NODE_DEBUG: value }) });
    expect([code, stderr]).toEqual([0, '']);
  });
});
