/** The stores of the tests keep the contract of `sharedState({ store })`: the one in memory, and that of the example for Redis. */
import { afterAll, beforeAll, describe } from 'vitest';
import { redisStore } from '../examples/redis/store';
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
});
