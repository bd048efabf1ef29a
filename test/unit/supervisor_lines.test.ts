/** The stderr of workers on its way to one destination: whole lines, bounded memory, and no error that ends the process. */
import { PassThrough, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { StderrLines, StderrOutput } from '../../internal/supervisor/stderr_lines';

const turn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

/** A destination that completes a write when the test calls `take`. */
class Slow extends Writable {
  text = '';
  #taken: (() => void) | null = null;

  constructor() {
    super({ highWaterMark: 64 });
  }

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.text += String(bytes);
    this.#taken = done;
  }

  take(): boolean {
    const taken = this.#taken;
    this.#taken = null;
    taken?.();
    return taken !== null;
  }
}

test('two workers that print pieces of lines: no line has output of both, and the last line gets its newline', async () => {
  const to = new Slow();
  const output = new StderrOutput(to);
  const workers = [new PassThrough(), new PassThrough()];
  for (const worker of workers) new StderrLines(worker, output);
  for (const piece of ['be', 'gin', 'ning\nnext', ' line\nre', 'st']) {
    for (const worker of workers) worker.write(piece);
    await turn();
  }
  for (const worker of workers) worker.end();
  for (let idle = 0; idle < 5; idle = to.take() ? 0 : idle + 1) await turn();
  expect(to.text.split('\n').sort()).toEqual(['', 'beginning', 'beginning', 'next line', 'next line', 'rest', 'rest']);
  expect(to.listenerCount('error')).toBe(0);
});

/** Fixed fault: output that nobody read was queued in the primary, up to 223 MiB. */
test('a destination that completes no write: this process holds a bounded amount, the rest stays with the worker', async () => {
  const to = new Slow();
  const worker = new PassThrough();
  new StderrLines(worker, new StderrOutput(to));
  const line = `${'x'.repeat(99)}\n`;
  for (let count = 0; count < 10_000; count++) worker.write(line);
  for (let turns = 0; turns < 20; turns++) await turn();
  expect(worker.isPaused()).toBe(true);
  expect(to.writableLength).toBeLessThan(200_000);
  for (let idle = 0; idle < 5; idle = to.take() ? 0 : idle + 1) await turn();
  expect(to.text.length).toBe(10_000 * line.length);
  expect(worker.isPaused()).toBe(false);
});

// Programs put a time before each line of stderr, or keep what is printed in a test. The worker's pipe was paused for ever.
test.each<[name: string, replace: (to: Slow) => void]>([
  ['passes the bytes on, and drops the callback', (to) => { to.write = ((bytes: Buffer) => Reflect.apply(Writable.prototype.write, to, [bytes])) as typeof to.write; }],
  ['passes them on, and returns nothing', (to) => { to.write = ((bytes: Buffer) => void Reflect.apply(Writable.prototype.write, to, [bytes])) as unknown as typeof to.write; }],
  ['only keeps them', (to) => { to.write = ((bytes: Buffer) => { to.text += String(bytes); }) as unknown as typeof to.write; }],
])('the program has replaced `write` of the destination by a function that %s: each worker is read on', async (_name, replace) => {
  const to = new Slow();
  replace(to);
  const output = new StderrOutput(to);
  const workers = [new PassThrough(), new PassThrough()];
  for (const worker of workers) new StderrLines(worker, output);
  const line = `${'x'.repeat(99)}\n`;
  for (let count = 0; count < 100; count++) for (const worker of workers) worker.write(line);
  for (let idle = 0; idle < 5; idle = to.take() ? 0 : idle + 1) await turn();
  expect([to.text.length, workers.map((worker) => worker.isPaused()), to.listenerCount('drain')]).toEqual([200 * line.length, [false, false], 0]);
});

test('a line without an end is written in pieces of bounded size', async () => {
  const to = new Writable({ write: (bytes: Buffer, _encoding, done) => { written += bytes.length; done(); } });
  let written = 0;
  const worker = new PassThrough();
  new StderrLines(worker, new StderrOutput(to));
  for (let count = 0; count < 80; count++) {
    worker.write(Buffer.alloc(65_536, 'x'));
    await turn();
  }
  expect(80 * 65_536 - written).toBeLessThanOrEqual(2 ** 20);
});

test.each([['it goes on', false], ['it is destroyed', true]])('a destination that fails each write, %s: the process goes on, and the worker is still read', async (_name, destroyed) => {
  let tries = 0;
  const to = new Writable({ write: (_bytes, _encoding, done) => { tries++; done(new Error('EPIPE')); } });
  // Like process.stderr, which errors do not destroy.
  if (!destroyed) to._destroy = function (error, done) { done(error); (this as unknown as { _undestroy(): void })._undestroy(); };
  const worker = new PassThrough();
  new StderrLines(worker, new StderrOutput(to));
  for (let count = 0; count < 50; count++) {
    worker.write(`${'x'.repeat(10_000)}\n`);
    for (let turns = 0; turns < 4; turns++) await turn();
  }
  expect([tries > (destroyed ? 0 : 20), worker.isPaused(), worker.readableLength, to.listenerCount('error')]).toEqual([true, false, 0, 0]);
});
