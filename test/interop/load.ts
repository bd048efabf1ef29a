/** Clients for the tests: bounded, on loopback, each with a deadline. */
import { Agent, request, type RequestOptions } from 'node:http';
import { text } from 'node:stream/consumers';

/** No single request of a test takes longer; a client that hangs fails here. */
const DEADLINE = 40_000;

/** One request; its body. Rejects on any error, and when the deadline has passed. */
export function get(port: number, path = '/', options: RequestOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(DEADLINE);
    const sent = request({ host: '127.0.0.1', port, path, agent: false, signal, ...options }, (response) => {
      if (response.statusCode === 200) text(response).then(resolve, reject);
      else reject(new Error(`status ${response.statusCode}`));
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** Calls `one` `count` times, at most `atOnce` at a time. */
export async function many<Result>(count: number, atOnce: number, one: (index: number) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const runner = async (): Promise<void> => {
    while (next < count) {
      const index = next++;
      results[index] = await one(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, runner));
  return results;
}

/** `count` requests over `connections` connections that are kept alive. */
export async function keptAlive(port: number, count: number, connections: number): Promise<string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  try {
    return await many(count, connections, () => get(port, '/', { agent }));
  } finally {
    agent.destroy();
  }
}

/** How often each string occurs. */
export function tally(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}
