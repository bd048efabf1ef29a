/**
 * What a program, an administrator or another program can do wrong with `redisStore`: a client that is none, a server that
 * refuses, names that somebody else uses. Each gets an error that says so, with whether anything was done; then all goes on.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type * as door from '../../lib/shared_state';
import type { SharedState, StateError, WatchEvent } from '../../lib/shared_state';
import { redisStore, type RedisClient } from '../examples/redis/store';
import { compiled } from '../support/children';
import { freePort } from '../support/free_port';
import { chapterBlocks } from '../support/guide';
import type { RedisTestClient } from '../support/redis_client';
import { NO_REDIS, RedisServer, hasRedis } from '../support/redis_server';
import { calls, codeOf } from './store_calls';

const { sharedState } = compiled<typeof door>('lib/shared_state.js');
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function open(client: RedisClient, prefix: string): SharedState {
  const state = sharedState({ store: redisStore(client, { prefix }), timeoutMs: 10_000 });
  ends.push(() => state.close());
  return state;
}

/** How a call ends: 'done', or with which code and message. */
const explained = (call: Promise<unknown>): Promise<string> => call.then(() => 'done', (error: StateError) => `${codeOf(error)}: ${error.message}`);

/** Each operation that the script has. */
const { watch: _hints, ...operations } = calls;
const READS = ['get', 'list', 'changes'];

describe('a client', () => {
  const subscriber = { on: () => undefined, connect: async () => undefined, subscribe: async () => undefined };
  const client = (answer: () => unknown): RedisClient => ({ eval: answer as never, evalSha: answer as never, duplicate: () => subscriber });

  test('what is no client, or has no prefix, throws at once', () => {
    for (const none of [undefined, null, 'redis://localhost', {}, { eval() {}, evalSha() {} }]) {
      expect(() => redisStore(none as never, { prefix: 'p' })).toThrow(/^The client has no method '(?:eval|duplicate)'/);
    }
    for (const prefix of [undefined, '', 1]) expect(() => redisStore(client(() => 0), { prefix } as never)).toThrow(/^options\.prefix must be a text/);
  });

  const ways: Record<string, () => unknown> = {
    'was never connected': () => Promise.reject(new Error('The client is closed')),
    'throws at once': () => { throw new Error('The client is closed'); },
    'answers null': () => Promise.resolve(null),
    'answers no array': () => 'OK',
    'answers an empty array': async () => [],
    'answers another number than a revision': async () => ['ok', 'x', '1', '1'],
  };
  test.each(Object.entries(ways))('%s: each call rejects and says so, and close ends it', async (_way, answer) => {
    const state = open(client(answer), 'p');
    for (const [name, call] of Object.entries(operations)) {
      const ended = await explained(call(state));
      expect([name, ended]).toEqual([name, expect.stringMatching(READS.includes(name) ? /^STORE: .*(?:closed|answered)/ : /^STORE, maybe done: .*(?:closed|answered)/)]);
    }
  });

  test('one that answers an array of anything does no harm: each call ends with an error of the contract', async () => {
    const values = [undefined, {}, '-1', 'NaN', '{', '1', '2'];
    for (const one of values) {
      for (const other of values) {
        const state = sharedState({ store: redisStore(client(async () => ['ok', '5', one, other, other, one]), { prefix: 'p' }) });
        for (const call of Object.values(operations)) expect(await explained(call(state))).toMatch(/^(?:done|(?:PROTOCOL|STORE)(?:, maybe done)?: .*)$/);
        state.close();
      }
    }
  });

  test.each(['duplicate', 'connect', 'subscribe'])('%s fails: a watch says so, or its events come with the beat', async (method) => {
    const fail = (): never => { throw new Error(`no ${method}`); };
    const answer = async (): Promise<string[]> => ['ok', '5', '5'];
    const state = open({ ...client(answer), duplicate: method === 'duplicate' ? fail : () => ({ ...subscriber, [method]: fail }) }, 'p');
    expect(await explained(state.watch('').ready)).toBe(method === 'subscribe' ? 'done' : `STORE: The store has failed in 'watch': no ${method}`);
    expect(await explained(state.set('k', 1))).toBe('done');
  });
});

/** A block that is not named here has no test. */
const [guide] = chapterBlocks('State for several machines', ['js']) as [string];

if (!hasRedis) console.error(NO_REDIS);

describe.runIf(hasRedis)('a real Redis', () => {
  const server = new RedisServer();
  let client: RedisTestClient;
  const command = (...words: string[]): Promise<unknown> => client.sendCommand(words);
  beforeAll(async () => {
    await server.start();
    client = await server.connect();
  });
  afterAll(async () => {
    client.destroy();
    await server.end();
  });

  test("the guide's program opens the state, and two processes that run it share it", async () => {
    const urls: string[] = [];
    const started: RedisTestClient[] = [];
    const createClient = ({ url }: { url: string }): RedisTestClient => {
      urls.push(url);
      const made = client.duplicate(); // Of the server of this test: the guide's is at 10.0.0.5.
      started.push(made);
      return made;
    };
    const program = new Function('createClient', 'sharedState', 'redisStore', `${guide}\nreturn open();`) as (...args: unknown[]) => Promise<SharedState>;
    const states = await Promise.all([program(createClient, sharedState, redisStore), program(createClient, sharedState, redisStore)]);
    ends.push(() => [...states.map((state) => state.close()), ...started.map((each) => each.destroy())]);
    await states[0]?.set('k', 'shared');
    expect([urls, (await states[1]?.get('k'))?.value, started[0]?.listenerCount('error')]).toEqual([Array(2).fill('redis://10.0.0.5'), 'shared', 1]);
  });

  /** Calls each operation; those named must be refused with this text, and nothing was done, and the others work. */
  async function expectRefused(state: SharedState, refused: readonly string[], why: RegExp): Promise<void> {
    for (const [name, call] of Object.entries(operations)) {
      const ended = await explained(call(state));
      expect([name, ended]).toEqual([name, refused.includes(name) ? expect.stringMatching(/^STORE: /) : 'done']);
      if (ended !== 'done') expect(ended).toMatch(why);
    }
  }

  test('is full: what writes is refused and not done; reading and deleting go on, and so does all when there is room', async () => {
    const state = open(client, 'full');
    await state.set('k', 1);
    const { version } = await state.increment('n');
    const lease = await state.lock('held');
    await command('CONFIG', 'SET', 'maxmemory', '1');
    await expectRefused(state, ['set', 'compareAndSet', 'increment', 'acquire'], /OOM/);
    expect(await explained(lease.renew())).toMatch(/^STORE: .*OOM/);
    expect([await lease.release(), (await state.get('n'))?.version, await state.get('k')]).toEqual([true, version, undefined]);
    await command('CONFIG', 'SET', 'maxmemory', '0');
    await expectRefused(state, [], /./);
  });

  test('is a replica: what writes is refused and not done, until it is none', async () => {
    const state = open(client, 'replica');
    await state.set('k', 1);
    await command('REPLICAOF', '127.0.0.1', '1');
    await expectRefused(state, ['set', 'compareAndSet', 'increment', 'delete', 'acquire'], /READONLY/);
    await command('REPLICAOF', 'NO', 'ONE');
    expect((await state.get('k'))?.value).toBe(1);
    await expectRefused(state, [], /./);
  });

  test('wants a password: each call says so, and nothing is done', async () => {
    await command('CONFIG', 'SET', 'requirepass', 'secret');
    const stranger = await server.connect();
    ends.push(() => stranger.destroy());
    const state = open(stranger, 'password');
    // Redis reads no long command of a stranger, and closes the connection. What is sent before that is known may have been done.
    for (const call of Object.values(operations)) expect(await explained(call(state))).toMatch(/^STORE(?:: .*(?:NOAUTH|unauthenticated)|(?:, maybe done)?: .*Socket closed)/);
    await command('CONFIG', 'SET', 'requirepass', '');
    expect(await explained(open(stranger, 'password').get('k'))).toBe('done');
  });

  test.each(['meta', 'keys', 'locks', 'deadlines', 'log', 'starts'])('another program has written its %s: every call names it, and nothing is done', async (name) => {
    const key = `{foreign ${name}}:${name}`;
    for (const foreign of [['SET', key, 'x'], ['LPUSH', key, 'x']]) {
      await command(...foreign);
      const state = open(client, `foreign ${name}`);
      await expectRefused(state, Object.keys(operations), /WRONGTYPE \{foreign \w+\}:\w+ is a (?:string|list), which this store has not written/);
      await command('DEL', key);
      expect([await state.get('k'), (await state.increment('n')).value]).toEqual([undefined, 1]);
      await command('FLUSHALL');
      state.close();
    }
  });

  test('has forgotten its scripts, or a subscription was killed: nothing is lost, and nobody is told that it was', async () => {
    const state = open(client, 'scripts');
    const watch = state.watch('k');
    await state.set('k', 0);
    for (const each of [['SCRIPT', 'FLUSH'], ['CLIENT', 'KILL', 'TYPE', 'pubsub']]) {
      await command(...each);
      await state.set('k', each[0]);
    }
    const seen: unknown[] = [];
    while (seen.at(-1) !== 'CLIENT') {
      const event = (await watch.next()).value as WatchEvent;
      if (event.type === 'set') seen.push(event.value);
    }
    expect(seen.slice(-2)).toEqual(['SCRIPT', 'CLIENT']);
  });

  test('a replica takes over, and lacks a write: who has seen it is told, no version comes twice, and nobody enters with an old token', async () => {
    const port = await freePort();
    const [master, replica] = [new RedisServer({ port }), new RedisServer()];
    ends.push(() => master.end(), () => replica.end());
    await master.start();
    await replica.start();
    const [ofMaster, ofReplica] = [await master.connect(), await replica.connect()];
    ends.push(() => ofMaster.destroy(), () => ofReplica.destroy());
    let now = ofMaster;
    const moving: RedisClient = { eval: (...args) => now.eval(...args), evalSha: (...args) => now.evalSha(...args), duplicate: () => now.duplicate() };
    const [one, other] = [open(moving, 'failover'), open(moving, 'failover')];
    await ofReplica.sendCommand(['REPLICAOF', '127.0.0.1', String(port)]);
    await one.set('k', 'kept');
    await other.get('k');
    expect(await ofMaster.sendCommand(['WAIT', '1', '20000'])).toBe(1);
    await ofReplica.sendCommand(['REPLICAOF', 'NO', 'ONE']);
    const lost = await one.set('k', 'lost');
    const { token } = await one.lock('l', { ttlMs: 60_000 });
    now = ofReplica;
    // Another machine writes first. It has seen nothing that is gone.
    const next = await other.set('n', 1);
    expect(next).toBeGreaterThan(token);
    expect(await explained(one.compareAndSet('k', lost, 'wrong'))).toMatch(/^LOST/);
    expect([(await one.get('k'))?.value, (await other.lock('l', { timeoutMs: 0 })).token > token]).toEqual(['kept', true]);
  });
});
