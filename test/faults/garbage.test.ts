/**
 * A worker that writes what is no message, or a message that makes no sense: the primary lives on and
 * the other workers serve. Who wrote bytes that are no message is cut off.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { get, many, tally } from '../interop/load';
import { FaultyCluster } from './cluster';

const line = (text: string): string => Buffer.from(`${text}\n`).toString('hex');

const bytes: Record<string, string> = {
  'a word': line('garbage'),
  'an empty line': line(''),
  'half of an object': line('{"cmd":"NODE_CLUSTER",'),
  'bytes that are no UTF-8': 'fffe00ff0a',
  'a tag without a message': line('H'),
  'an envelope of nothing': line('Enull'),
  'bad after good': Buffer.from('"good"\nbad\n"more"\n').toString('hex'),
};

// One cluster for all of them, which loses a worker with each: to start one costs more than a test.
describe.each([
  ["somebody listens to 'error'", 'error', Object.entries(bytes)],
  ["nobody listens to 'error'", 'no', [['a word', line('garbage')]]],
] as [string, string, [string, string][]][])('bytes that are no message, %s', (_name, LISTEN, written) => {
  let cluster: FaultyCluster;
  /** The workers that are there. */
  let left: string[];
  const lost: string[] = [];
  beforeAll(async () => {
    cluster = await FaultyCluster.start({ workers: written.length + 2, env: { REFORK: 'no', LISTEN }, deadline: 400_000 });
    left = written.concat([['', ''], ['', '']]).map((_, at) => String(at + 1));
  });
  afterAll(() => cluster.kill());

  /** Waits for the end of a worker that one of the tests has hurt, and for nothing else: the others serve. */
  async function ends(how: string): Promise<string> {
    const gone = (): RegExpMatchArray | undefined => [...cluster.program.output.matchAll(new RegExp(`^exit (\\d+) ${how} table=([\\d,]+)$`, 'gm'))].find(([, id = '']) => left.includes(id));
    await cluster.until(() => gone() !== undefined, 'its end');
    const [, id = '', table] = gone() ?? [];
    left = left.filter((one) => one !== id);
    expect(table).toBe(left.join());
    expect(cluster.count(new RegExp(`^disconnect ${id}$`, 'gm'))).toBe(1);
    await cluster.alive();
    expect(tally(await many(2 * left.length, 1, () => get(cluster.port)))).toEqual(Object.fromEntries(left.map((one) => [one, 2])));
    return id;
  }

  test.each(written)('%s: who writes it is cut off', async (_what, hex) => {
    const { fds } = cluster;
    // Cut off before or after it has answered.
    await get(cluster.port, `/write?bytes=${hex}`).catch(() => undefined);
    lost.push(await ends('0'));
    await cluster.until(() => cluster.fds === fds - 1, 'its channel is closed');
  });

  test('half a message, and then the end', async () => {
    const writer = await get(cluster.port, `/write?bytes=${Buffer.from('{"half":').toString('hex')}`);
    process.kill(await cluster.listens(Number(writer)), 'SIGKILL');
    expect(await ends('SIGKILL')).toBe(writer);
  });

  test('each that was cut off was reported, once, and the cluster ends as it should', async () => {
    const output = await cluster.end();
    expect([...output.matchAll(/^worker error (\d+) (\w+)$/gm)].map(([, id]) => id)).toEqual(LISTEN === 'error' ? lost : []);
  });
});

describe('messages that make no sense are ignored', () => {
  const cluster = (fields: object): object => ({ cmd: 'NODE_CLUSTER', seq: 900, ...fields });
  const query = (fields: object): object => cluster({ act: 'queryServer', index: 7, data: null, ...fields });
  const groups: Record<string, object[]> = {
    'unknown acts, numbers and keys': [
      ...['unknown', 'hasOwnProperty', '__proto__', 'toString', 7, null].map((act) => cluster({ act })),
      // Well-formed answers to nothing cut their sender off: unit/messages.
      ...[-1, 'x', null].map((ack) => cluster({ ack, accepted: true })), cluster({ ack: 0 }),
      ...[-1, 'x'].map((upTo) => cluster({ act: 'accepted', upTo, rejected: [1, 2, 900] })),
      cluster({ act: 'accepted' }), cluster({ act: 'accepted', upTo: 900, rejected: 'all' }),
      ...['nothing', '__proto__', 7, undefined].map((key) => cluster({ act: 'close', key })),
      { cmd: 'NODE_CLUSTER', act: 'exitedAfterDisconnect' },
    ],
    'internal messages that are not of the cluster': [
      { cmd: 'NODE_HANDLE' }, { cmd: 'NODE_HANDLE', type: 'net.Socket', msg: 1 }, { cmd: 'NODE_HANDLE_ACK' }, { cmd: 'NODE_HANDLE_NACK' },
      { cmd: 'NODE_SOCKET_NOTIFY_CLOSE', key: 'x' }, { cmd: 'NODE_DEBUG_ENABLED' }, { cmd: 'NODE_CLUSTER' }, { cmd: 'NODE_' },
    ],
    'queries that no bind can satisfy': [
      query({ port: 0, addressType: 4, address: 'no ip' }),
      query({ port: null, addressType: null, address: null, fd: 99999 }),
      query({ port: null, addressType: null, address: null, fd: 1.5 }),
      query({ port: 0, addressType: 'udp6', address: '127.0.0.1', fd: -1, flags: 0 }),
      query({ port: '0', addressType: 'tcp', address: 7, fd: 'x', backlog: {} }),
    ],
    'a query with a backlog that is none': [query({ port: 0, addressType: 4, address: '127.0.0.1', backlog: -5 })],
    'a query with a port above 65535': [query({ port: 70000, addressType: 4, address: null })],
    'a query with a port with a fraction': [query({ port: 1.5, addressType: 4, address: '127.0.0.1' })],
    'a query with a negative port': [query({ port: -7, addressType: 4, address: null })],
    'a query with an empty path': [query({ port: -1, addressType: -1, address: '' })],
    'a query without fields': [query({})],
    // It replaces the handle of the first query, which then nobody closes: the primary never ends.
    'a query for an address that the worker has': [query({ port: 0, addressType: 4, address: '127.0.0.1', index: 0 })],
  };

  // One cluster for all of them: each must leave it as it was.
  describe.each(['rr', 'none'] as const)('%s', (policy) => {
    let running: FaultyCluster;
    beforeAll(async () => { running = await FaultyCluster.start({ workers: 2, policy, env: { REFORK: 'no' }, deadline: 400_000 }); });
    afterAll(() => running.kill());

    test.each(Object.entries(groups))('%s', async (_name, sent) => {
      const sender = await get(running.port, `/send?messages=${encodeURIComponent(JSON.stringify(sent))}`);
      await running.alive();
      const served = await many(10, 1, () => get(running.port));
      if (policy === 'rr') expect(tally(served), `${sender} is as good as the other`).toEqual({ 1: 5, 2: 5 });
      expect(running.count(/^(exit|disconnect|worker error)/gm)).toBe(0);
    });

    test('and it ends as it should', async () => { await running.end(); });
  });
});
