/** Guards that SIGTERM ends a supervised worker whose primary does not answer. This primary has no supervisor, so it never answers. */
import cluster from 'node:cluster';
import { request, type IncomingMessage } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { SETUP, type Setup } from '../../internal/supervisor/wire';
import { event, fixture } from '../support/children';
import { dist } from '../support/program';

afterEach(() => { for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL'); });

async function start(kind: 'plain' | 'graceful', setup: Partial<Setup> = {}) {
  cluster.setupPrimary({ exec: fixture('alone.js'), args: [kind], execArgv: ['--require', dist('internal/supervisor/worker/agent.js')], silent: true });
  const worker = cluster.fork({ [SETUP]: JSON.stringify({ trial: false, graceMs: 50, leaveMs: 2_000, patienceMs: 100, check: null, ...setup }) });
  const messages: unknown[] = [];
  const [{ port }] = await event<[{ port: number }]>(worker, 'message');
  worker.on('message', (message) => messages.push(message));
  const exited = event<[number | null, string | null]>(worker, 'exit');
  return { worker, port, exited, messages };
}

/** Begins a request whose response never ends. */
async function stream(port: number): Promise<void> {
  const sent = request({ port, host: '127.0.0.1', path: '/stream', agent: false }).on('error', () => undefined).end();
  const [response] = await event<[IncomingMessage]>(sent, 'response');
  response.on('error', () => undefined).resume();
}

test('an idle worker dies of the signal', async () => {
  const { worker, exited } = await start('plain');
  worker.process.kill('SIGTERM');
  expect(await exited).toEqual([null, 'SIGTERM']);
});

test('a worker with a request in progress dies of the signal at its deadline', async () => {
  const { worker, port, exited } = await start('plain', { leaveMs: 300 });
  await stream(port);
  worker.process.kill('SIGTERM');
  expect(await exited).toEqual([null, 'SIGTERM']);
});

test('a worker with graceful cuts the request off at its own deadline, and runs onDrained', async () => {
  const { worker, port, exited, messages } = await start('graceful');
  await stream(port);
  worker.process.kill('SIGTERM');
  expect(await exited).toEqual([1, null]);
  expect(messages).toEqual([{ cut: 1 }]);
});
