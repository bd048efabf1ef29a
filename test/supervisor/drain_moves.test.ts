/**
 * D58: how connections leave a process that leaves, in the process of the test: Drain with the real Returns. The primary is
 * a function of the test that takes every connection.
 */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Returns } from '../../internal/child/returns';
import type { Returned } from '../../internal/moving';
import { Drain } from '../../internal/supervisor/worker/drain';
import { within } from '../support/children';

const ends: (() => void)[] = [];
afterEach(() => { for (const end of ends.splice(0)) end(); });

/** A process with one server that leaves. `from`: the number of the first pass that does anything. */
class Leaving {
  readonly server: Server;
  readonly drain: Drain;
  passes = 0;
  offered = 0;
  /** The numbers of passes when 'finishing' began, which is when idle connections are closed for the first time. */
  passesAtFinishing = 0;
  readonly drained: Promise<void>;

  constructor(listener: RequestListener, from = 1) {
    this.server = createServer(listener);
    const returns = new Returns((_key, _handle, answered) => {
      this.offered++;
      setImmediate(answered, true);
      return true;
    }, () => undefined);
    returns.listen('key', this.server);
    this.drain = new Drain({ all: false, moving: {
      returnIdle: () => new Promise<Returned>((resolve) => {
        if (++this.passes < from) resolve({ moved: 0, refused: 0 });
        else returns.returnIdle({ max: Infinity }, (moved, refused) => resolve({ moved, refused }));
      }),
      mayMove: (...connection) => returns.mayMove(...connection),
    } });
    this.drain.add(this.server);
    this.drained = within<void>(20_000, 'drained', (resolve) => this.drain.on((phase) => {
      if (phase === 'finishing') this.passesAtFinishing = this.passes;
      if (phase === 'drained') resolve();
    }));
    this.drained.catch(() => undefined);
    ends.push(() => { this.drain.cut(); this.server.close(); });
  }

  /** A client that has sent a request. */
  async client(): Promise<{ socket: Socket; text: () => string }> {
    if (!this.server.listening) await once(this.server.listen(0, '127.0.0.1'), 'listening');
    const socket = connect((this.server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
    let text = '';
    socket.on('data', (data) => { text += String(data); });
    ends.push(() => socket.destroy());
    const requested = once(this.server, 'request');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await requested;
    return { socket, text: () => text };
  }
}

const terms = (graceMs: number) => ({ delayMs: 0, graceMs, endMs: Infinity, move: true });

// Each of these responses said `Connection: close`: 49 of 100 busy clients lost their connection in ten reloads.
test('a response in progress: it does not say close, also with listeners of a framework; its connection moves when it is sent', async () => {
  const open: ServerResponse[] = [];
  const process = new Leaving((request, response) => {
    const listener = (): void => undefined;
    request.socket.on('close', listener).on('error', listener);
    response.on('finish', () => request.socket.off('close', listener).off('error', listener));
    open.push(response);
  });
  const client = await process.client();
  process.drain.leave(terms(60_000));
  open[0]?.end('ok');
  await process.drained;
  expect(client.text()).toMatch(/^Connection: keep-alive\r$/m);
  expect([process.offered, process.passesAtFinishing]).toEqual([1, 0]);
});

test('a response in progress on a socket that the app keeps listening to: the next answer says close', async () => {
  const open: ServerResponse[] = [];
  const process = new Leaving((_request, response) => void open.push(response));
  process.server.on('connection', (socket: Socket) => socket.on('close', () => undefined));
  const client = await process.client();
  process.drain.leave(terms(60_000));
  open[0]?.end('one');
  const again = once(process.server, 'request');
  client.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await again;
  open[1]?.end('two');
  await process.drained;
  expect([...client.text().matchAll(/^Connection: (.*)\r$/gm)].map(([, says]) => says)).toEqual(['keep-alive', 'close']);
  expect(process.offered).toBe(0);
});

// A connection that had become idle a moment ago was closed, and the request that was on its way on it was lost.
test.each([[3, 1, 'moves in the next pass'], [100, 0, 'is closed the second time']])(
  'an idle connection that may move and that the passes before number %i have missed is not closed the first time: of it, %i moves: it %s', async (from, moves) => {
    const process = new Leaving((_request, response) => void response.end('ok'), from);
    const client = await process.client();
    const closed = once(client.socket, 'close');
    process.drain.leave(terms(30));
    await process.drained;
    await closed;
    expect([process.offered, process.passes]).toEqual([moves, 3]);
  });
