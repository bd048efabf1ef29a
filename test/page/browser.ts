/**
 * A real browser for tests: Chromium, driven by its own protocol (the DevTools protocol) over a pipe, fds 3 and 4. No
 * package and no port. Each message is a JSON text that ends with a zero byte.
 *
 * Where there is no Chromium, `chromium` is null, and the tests say so loudly (page.test.ts).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** The path of Chromium, from CHROMIUM or where Debian and others put it; null: there is none. */
export const chromium: string | null = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  .find((file): file is string => file !== undefined && existsSync(file)) ?? null;

type Answer = Readonly<Record<string, unknown>>;

/** Milliseconds. A page that takes longer is broken. */
const DEADLINE = 30_000;

export class Browser {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #ended: Promise<void>;
  readonly #calls = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();
  readonly #pages = new Map<string, Page>();
  #last = 0;
  #rest = '';

  constructor(file: string) {
    this.#profile = mkdtempSync(path.join(tmpdir(), 'cluster-page-'));
    this.#child = spawn(file, ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--hide-scrollbars', '--remote-debugging-pipe', `--user-data-dir=${this.#profile}`, 'about:blank'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: false });
    this.#ended = new Promise((resolve) => this.#child.on('exit', () => resolve()));
    const from = this.#child.stdio[4] as Readable;
    from.setEncoding('utf8');
    from.on('data', (text: string) => {
      const parts = (this.#rest + text).split('\0');
      this.#rest = parts.pop() ?? '';
      for (const part of parts) this.#arrived(JSON.parse(part) as Answer);
    });
    void this.#ended.then(() => {
      for (const { reject } of this.#calls.values()) reject(new Error('the browser ended'));
    });
  }

  /** Calls a method of the protocol. */
  call(method: string, params: object = {}, session?: string): Promise<Answer> {
    const id = ++this.#last;
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...(session === undefined ? {} : { sessionId: session }) })}\0`);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer within ${DEADLINE} ms`)), DEADLINE);
      const settle = <Value>(then: (value: Value) => void) => (value: Value): void => {
        clearTimeout(timer);
        this.#calls.delete(id);
        then(value);
      };
      this.#calls.set(id, { resolve: settle(resolve), reject: settle(reject) });
    });
  }

  #arrived(message: Answer): void {
    const call = this.#calls.get(Number(message['id']));
    if (call !== undefined) {
      if (message['error'] === undefined) call.resolve(message['result'] as Answer);
      else call.reject(new Error(JSON.stringify(message['error'])));
      return;
    }
    this.#pages.get(String(message['sessionId']))?.event(String(message['method']), message['params'] as Answer);
  }

  /** Opens a page of this size, and waits until it has drawn. */
  async open(url: string, { width = 1280, height = 800, dark = false } = {}): Promise<Page> {
    const { targetId } = await this.call('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.call('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(sessionId), String(targetId));
    this.#pages.set(String(sessionId), page);
    await Promise.all(['Page', 'Runtime', 'Network', 'Log'].map((domain) => page.call(`${domain}.enable`)));
    await page.call('Performance.enable', { timeDomain: 'threadTicks' });
    await page.call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await page.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] });
    await page.call('Page.navigate', { url });
    return page;
  }

  async close(): Promise<void> {
    void this.call('Browser.close').catch(() => undefined); // It may end before it answers.
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await this.#ended;
    clearTimeout(timer);
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

export class Page {
  /** Errors of the script, and what the console has printed as an error. */
  readonly errors: string[] = [];
  /** The URL of everything that the page has asked for. */
  readonly requests: string[] = [];
  readonly #browser: Browser;
  readonly #session: string;
  readonly #target: string;

  constructor(browser: Browser, session: string, target: string) {
    this.#browser = browser;
    this.#session = session;
    this.#target = target;
  }

  call(method: string, params: object = {}): Promise<Answer> {
    return this.#browser.call(method, params, this.#session);
  }

  event(method: string, params: Answer): void {
    if (method === 'Runtime.exceptionThrown') this.errors.push(JSON.stringify(params['exceptionDetails']));
    if (method === 'Runtime.consoleAPICalled' && params['type'] === 'error') this.errors.push(JSON.stringify(params['args']));
    if (method === 'Log.entryAdded' && (params['entry'] as Answer)['level'] === 'error') this.errors.push(JSON.stringify(params['entry']));
    if (method === 'Network.requestWillBeSent') this.requests.push(String((params['request'] as Answer)['url']));
  }

  /** The value of an expression in the page. A promise is awaited. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const answer = await this.call('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (answer['exceptionDetails'] !== undefined) throw new Error(`${expression}: ${JSON.stringify(answer['exceptionDetails'])}`);
    return (answer['result'] as { value: Value }).value;
  }

  /** Waits until an expression is true, looking once a frame. Rejects with the page's errors at the deadline. */
  async until(expression: string, deadline = 20_000): Promise<void> {
    const isTrue = await this.evaluate<boolean>(`new Promise((resolve) => {
      const end = performance.now() + ${deadline};
      const look = () => { let value = false; try { value = Boolean(${expression}); } catch { value = false; }
        if (value) resolve(true); else if (performance.now() > end) resolve(false); else setTimeout(look, 16); };
      look();
    })`);
    if (!isTrue) throw new Error(`never true: ${expression}; errors of the page: ${this.errors.join('\n')}`);
  }

  /** Waits until what was changed has been drawn. */
  drawn(): Promise<unknown> {
    return this.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
  }

  /** A click of the mouse at a point. */
  async click(x: number, y: number): Promise<void> {
    for (const type of ['mouseMoved', 'mousePressed', 'mouseReleased']) await this.call('Input.dispatchMouseEvent', { type, x, y, button: type === 'mouseMoved' ? 'none' : 'left', clickCount: 1 });
    await this.drawn();
  }

  /** Drags the mouse along points. */
  async drag(points: readonly (readonly [number, number])[]): Promise<void> {
    for (const [at, [x, y]] of points.entries()) {
      await this.call('Input.dispatchMouseEvent', { type: at === 0 ? 'mousePressed' : 'mouseMoved', x, y, button: 'left', buttons: 1, clickCount: 1 });
    }
    const [x, y] = points.at(-1) ?? [0, 0];
    await this.call('Input.dispatchMouseEvent', { type: 'mouseReleased', x, y, button: 'left', clickCount: 1 });
    await this.drawn();
  }

  /** A key, by the name that the DOM has for it. */
  async press(key: string): Promise<void> {
    const text = key.length === 1 ? { text: key } : {};
    await this.call('Input.dispatchKeyEvent', { type: 'keyDown', key, ...text });
    await this.call('Input.dispatchKeyEvent', { type: 'keyUp', key });
    await this.drawn();
  }

  async screenshot(): Promise<Buffer> {
    const { data } = await this.call('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(String(data), 'base64');
  }

  async close(): Promise<void> {
    await this.#browser.call('Target.closeTarget', { targetId: this.#target });
  }
}
