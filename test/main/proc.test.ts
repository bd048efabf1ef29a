/** What the kernel knows of a cluster: which processes hold the listening socket, and what a worker was started with. */
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { freePort } from '../support/free_port';
import { Program, root } from '../support/program';
import { listeningInodes, socketInodes, startEnvironment } from './proc';

interface Running { readonly program: Program; readonly primary: number; readonly workers: number[]; readonly port: number }

let started: Program | undefined;

afterEach(async () => {
  await started?.stop();
});

async function start(policy: 'rr' | 'none'): Promise<Running> {
  const program = started = new Program(path.join(root, 'test/fixtures/proc_cluster.js'), { args: [policy], env: { PORT: String(await freePort()) } });
  const port = Number((await program.prints(/^port (\d+)$/m))[1]);
  const workers = [...program.output.matchAll(/^worker (\d+) sees/gm)].map((match) => Number(match[1]));
  return { program, primary: program.child.pid as number, workers, port };
}

test('round robin: one listening socket, and only the primary has it', async () => {
  const { program, primary, workers, port } = await start('rr');
  const listening = listeningInodes(port);
  expect(listening).toHaveLength(1);
  expect(socketInodes(primary)).toContain(listening[0]);
  expect(workers).toHaveLength(2);
  for (const worker of workers) expect(socketInodes(worker)).not.toContain(listening[0]);
  expect((await program.stop()).code).toBe(0);
});

test('SCHED_NONE: one listening socket, and every worker has it', async () => {
  const { program, primary, workers, port } = await start('none');
  const listening = listeningInodes(port);
  expect(listening).toHaveLength(1);
  expect(socketInodes(primary)).toContain(listening[0]);
  expect(workers).toHaveLength(2);
  for (const worker of workers) expect(socketInodes(worker)).toContain(listening[0]);
  expect((await program.stop()).code).toBe(0);
  expect(listeningInodes(port)).toEqual([]);
});

test('a worker has its own end of one channel, and none of another worker', async () => {
  const { primary, workers } = await start('rr');
  const [first, second] = workers.map(socketInodes) as [string[], string[]];
  expect(first).toHaveLength(1);
  expect(second).toHaveLength(1);
  expect(first).not.toEqual(second);
  for (const inode of [...first, ...second]) expect(socketInodes(primary), 'the other end is the primary\'s').not.toContain(inode);
});

test('a worker is started with NODE_UNIQUE_ID and without NODE_CHANNEL_FD, and its app sees neither', async () => {
  const { program, workers } = await start('rr');
  const ids: string[] = [];
  for (const worker of workers) {
    const environment = startEnvironment(worker);
    ids.push(String(environment['NODE_UNIQUE_ID']));
    expect(Object.keys(environment).filter((name) => name.startsWith('NODE_CHANNEL'))).toEqual([]);
    expect(environment['OF_THE_APP']).toBe('yes');
  }
  expect(ids.sort()).toEqual(['1', '2']);
  for (const [, seen] of program.output.matchAll(/sees (.*)$/gm)) {
    expect(JSON.parse(seen as string)).toEqual({ env: ['OF_THE_APP'], execArgv: [] });
  }
});
