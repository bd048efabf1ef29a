/**
 * The stores of the tests keep the contract of `sharedState({ store })`: the one in memory, and that of the example for
 * Redis. With `REDIS_PACKAGE=/path/to/node_modules/redis` also over the npm package `redis`, which nothing here installs.
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { redisStore, type RedisClient } from '../examples/redis/store';
import { NO_REDIS, RedisServer, hasRedis } from '../support/redis_server';
import { Memory } from './memory_store';
import { storeContract } from './store_contract';

storeContract('in memory', () => {
  const memory = new Memory();
  return { one: memory.connect(), other: memory.connect(), lose: () => memory.lose(), end: () => undefined };
});

if (!hasRedis) console.error(NO_REDIS);

describe.runIf(hasRedis)('Redis', () => {
  const server = new RedisServer();
  beforeAll(() => server.start());
  afterAll(() => server.end());

  storeContract('Redis', async () => {
    const clients = [await server.connect(), await server.connect()] as const;
    const [one, other] = clients.map((client) => redisStore(client, { prefix: 'contract' }));
    if (one === undefined || other === undefined) throw new Error('unreachable');
    return {
      one, other,
      lose: async () => void await clients[0].sendCommand(['FLUSHALL']),
      end: () => clients.forEach((client) => client.destroy()),
    };
  });

  const npm = process.env['REDIS_PACKAGE'];
  if (npm === undefined) return;
  interface NpmClient extends RedisClient { on(event: 'error', listener: () => void): void; connect(): Promise<unknown>; flushAll(): Promise<unknown>; quit(): Promise<unknown> }
  const { createClient } = require(npm) as { createClient(options: object): NpmClient };
  storeContract(`Redis, over ${npm}`, async () => {
    const clients = [createClient({ socket: { path: server.path } }), createClient({ socket: { path: server.path } })] as const;
    for (const client of clients) {
      client.on('error', () => undefined);
      await client.connect();
    }
    const [one, other] = [redisStore(clients[0], { prefix: 'npm' }), redisStore(clients[1], { prefix: 'npm' })];
    return { one, other, lose: async () => void await clients[0].flushAll(), end: async () => void await Promise.all(clients.map((client) => client.quit())) };
  });
});
