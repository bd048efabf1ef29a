/** `watch`: a live page whose buttons act on the program that runs, and a server that answers nobody else. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest, type RequestOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cleanEnvironment, fixture } from '../support/children';
import { dist, Program, root, run } from '../support/program';
import { Browser, chromium } from './browser';

if (chromium === null) console.error('\n  NO CHROMIUM: the live page is NOT TESTED. apt-get install chromium, or set CHROMIUM to its path.\n');

const cli = path.join(root, 'dist/lib/cli.js');
const watched = (...args: string[]): Program => new Program(cli, { args: ['watch', ...args, fixture('page_watched.js')], deadline: 55_000 });
const urlOf = async (program: Program): Promise<URL> => new URL((await program.prints(/Open (http:\S+)/))[1] ?? '');

interface Answer {
  readonly status: number | undefined;
  readonly text: string;
}
function ask(url: URL, options: RequestOptions = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { agent: false, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => { text += part; });
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

test('a worker thread of the program has no agent of its own: it would take the place of the one of the process', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-watch-'));
  const socket = path.join(directory, 'agents.sock');
  let hellos = '';
  const server = createNetServer((agent) => agent.setEncoding('utf8').on('data', (text: string) => { hellos += text; }));
  try {
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const { code } = await run(fixture('page_thread.js'), { execArgv: ['--require', dist('internal/page/live/agent.js')], env: { ...cleanEnvironment(), CLUSTER_INTERNALS_WATCH: socket } });
    expect([code, hellos.match(/"pid"/g)]).toEqual([0, ['"pid"']]);
  } finally {
    server.close();
    rmSync(directory, { recursive: true });
  }
});

describe('the server of a live page', () => {
  let program: Program;
  let url: URL;
  beforeAll(async () => {
    program = watched();
    url = await urlOf(program);
  });
  afterAll(async () => {
    const { code } = await program.stop();
    expect(code).toBe(0);
  });
  const at = (place: string): URL => new URL(place + url.search, url);
  const post = (order: object | string, headers: Record<string, string> = { 'content-type': 'application/json' }): Promise<Answer> =>
    ask(at('/act'), { method: 'POST', headers }, typeof order === 'string' ? order : JSON.stringify(order));

  test('listens on 127.0.0.1 alone, and answers only with the token, to its own Host and origin', async () => {
    expect(url.hostname).toBe('127.0.0.1');
    expect((await ask(url)).status).toBe(200);
    const wrong = new URL(url);
    wrong.searchParams.set('token', 'x'.repeat(32));
    const refused: readonly Promise<Answer>[] = [
      ask(new URL('/', url)), ask(wrong), ask(new URL('/events', url)), ask(new URL('/act', url), { method: 'POST' }),
      ask(url, { path: '//' }), ask(url, { headers: { host: `evil.example:${url.port}` } }), ask(url, { headers: { host: '127.0.0.1' } }), ask(url, { headers: { origin: 'http://evil.example' } }),
      ask(at('/act'), { method: 'POST', headers: { 'content-type': 'application/json', origin: 'null' } }, '{"action":"fork"}'),
    ];
    expect((await Promise.all(refused)).map(({ status }) => status)).toEqual(refused.map(() => 403));
    expect((await ask(url, { headers: { host: `localhost:${url.port}` } })).status).toBe(200);
    expect((await ask(at('/../etc/passwd'))).status).toBe(404);
  });

  test('an order that makes no sense is refused with its reason, and nothing happens', async () => {
    const orders = [{ action: 'kill', worker: 'W99' }, { action: 'kill', worker: '__proto__' }, { action: 'constructor', worker: 'W1' }, { action: 'open', count: 1e9 }, { action: 'kill', worker: 5 }, {}];
    await program.prints(/Open/);
    const answers = await Promise.all(orders.map((order) => post(order)));
    expect(answers.map(({ status }) => status)).toEqual(orders.map(() => 409));
    expect(answers[0]?.text).toContain('there is no such worker');
    expect((await post('{')).status).toBe(409);
    expect((await post('null')).status).toBe(409);
    expect((await post({ action: 'fork' }, { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post({ action: 'x'.repeat(5000) })).status).toBe(413);
    expect(program.child.exitCode).toBeNull();
  });

  test('a port that is taken: one line that names it, exit code 1, and the program is not started', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const { code, stderr, stdout } = await run(cli, { args: ['watch', '--port', String(port), fixture('page_watched.js')] });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`127.0.0.1:${port}`);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    await new Promise((resolve) => server.close(resolve));
  });

  test('a browser that goes away, and one that sends nonsense, disturb nobody', async () => {
    await new Promise<void>((resolve, reject) => {
      const request = httpRequest(at('/events'), { agent: false }, (response) => response.once('data', () => { request.destroy(); resolve(); }));
      request.on('error', reject);
      request.end();
    });
    await new Promise((resolve) => {
      const socket = connect(Number(url.port), '127.0.0.1', () => socket.end('\x00\x01 nonsense\r\n\r\n'));
      socket.on('close', resolve).resume();
    });
    expect((await ask(url)).status).toBe(200);
  });
});

describe.skipIf(chromium === null)('the live page in a browser', () => {
  test('shows what happens, and its buttons act: fork, open clients, block, stop and continue, kill, disconnect, reload', async () => {
    const program = watched();
    const browser = new Browser(chromium ?? '');
    try {
      const url = await urlOf(program);
      const page = await browser.open(url.href);
      const line = (name: string, text: string): string => `document.querySelector('[data-lane="0.${name}"] .line')?.textContent.includes(${JSON.stringify(text)})`;
      const rows = (text: string): string => `document.getElementById('events-title') && document.getElementById('table').textContent.includes(${JSON.stringify(text)})`;
      const click = async (action: string, worker?: string): Promise<void> => {
        await page.until(`document.querySelector('[data-action=${action}]') !== null${worker === undefined ? '' : ` && [...document.getElementById('target').options].some(({ value }) => value === '${worker}')`}`);
        await page.evaluate(`(() => { ${worker === undefined ? '' : `document.getElementById('target').value = '${worker}';`} document.querySelector('[data-action=${action}]').click(); })()`);
      };
      /** Moves to the end, where the cursor shows the newest state. */
      const end = (): Promise<unknown> => page.evaluate(`document.getElementById('last').click()`);
      const search = (text: string): Promise<unknown> => page.evaluate(`(() => { const search = document.getElementById('search'); search.value = ${JSON.stringify(text)}; search.dispatchEvent(new Event('input')); })()`);
      const acted = (text: string): Promise<void> => page.until(`document.getElementById('acted').textContent.includes(${JSON.stringify(text)})`);

      await page.until(`document.querySelectorAll('.lane.worker').length === 2`);
      await page.evaluate(`document.querySelector('#follow').click()`);
      await search('listening');
      await page.until(rows('P receives listening from W2'));

      await click('open');
      await acted('3 clients: 3 got an answer');
      await page.until(`document.querySelector('.lane.clients') !== null`);

      await click('fork');
      await page.until(`document.querySelectorAll('.lane.worker').length === 3`);
      await acted('worker 3 is forked');

      await click('block', 'W1');
      await acted('blocked for 2000 ms');
      await search('loop w1');
      // The recorder's timer may have been due up to 100 ms after the block began.
      await page.until(`/The event loop of W1 was blocked for (1\\.9|2)[.\\d]* s/.test(document.getElementById('table').textContent)`);

      await search('fork');
      await page.until(`/W2 \\(pid \\d+\\)/.test(document.getElementById('table').textContent)`);
      const pid = await page.evaluate<string>(`/W2 \\(pid (\\d+)\\)/.exec(document.getElementById('table').textContent)[1]`);
      const isStopped = (): boolean => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
      await click('stop', 'W2');
      await acted('SIGSTOP is sent to W2');
      await expect.poll(isStopped, { timeout: 10_000 }).toBe(true);
      await click('continue', 'W2');
      await acted('SIGCONT is sent to W2');
      await expect.poll(isStopped, { timeout: 10_000 }).toBe(false);

      await click('kill', 'W2');
      await search('exit w2');
      await page.until(rows('W2 is killed by SIGKILL'));
      await end();
      await page.until(line('W2', 'SIGKILL'));

      await click('disconnect', 'W1');
      await search('exit w1');
      await page.until(rows('W1 ends with exit code 0'));

      await search('');
      await click('reload');
      await acted('workers are replaced');
      await page.until(`document.querySelectorAll('.lane.worker').length === 4`);
      expect(page.errors).toEqual([]);
      expect(page.requests.every((each) => each.startsWith(url.origin) || each === 'about:blank' || each === 'data:,')).toBe(true);

      // The source lines come with the events.
      await search('newconn');
      // The rows change in the next frame: before that, the first one is another event.
      await page.until(`document.querySelector('#rows .row')?.textContent.includes('newconn')`);
      await page.evaluate(`document.querySelector('#rows .row').click()`);
      await page.until(`document.querySelector('[data-source^="internal/master/peer.ts"]') !== null`);

      program.child.kill('SIGTERM');
      await page.until(`document.getElementById('notice').textContent.includes('exit code 0')`);
      await page.until(`document.querySelector('[data-action=fork]').disabled`);
      expect((await program.ended).code).toBe(0);
    } finally {
      await program.stop();
      await browser.close();
    }
  });
});
