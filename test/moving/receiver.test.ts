/** D58: in the worker that took it, a moved connection is what the doc comment of `returnIdle` (lib/cluster.ts) says. */
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { run, type Ended } from '../support/program';

const ended: Promise<Ended> = run(path.join(__dirname, 'receiver.js'), { deadline: 60_000 });
const hasDrop = Number(process.versions.node.split('.')[0]) >= 22;

describe('in the worker that took a connection', () => {
  test.each<[name: string, what: string, seen: unknown[]]>([
    // By the worker that gave it and by the one that took it: its 'connection' events, its 'close' events, its `bytesRead` at the 'connection' and at each request.
    ['new connection', 'a new socket, whose bytesRead begins at 0; the old one emits \'close\'',
      [true, { connections: 1, closes: 1, bytesRead: [0, 27] }, { connections: 1, closes: 0, bytesRead: [0, 41] }, [27, 41]]],
    ['getConnections', 'it is counted here, and no more there', [[1, 0], [0, 1]]],
    ['maxConnections', 'without room for it in any worker, it waits in the primary', [true, 1, true]],
    ['drop', 'where the app drops what is beyond maxConnections, it is dropped', hasDrop ? [1, 0] : ['no option dropMaxConnection']],
    ['keepAliveTimeout', 'it is closed, without a word, if no request comes in that time', [true, '']],
    ['keepAliveTimeout and a request that takes longer', 'the time-out ends when a request begins, and begins again after its response', [true]],
    // Node gives a client that has just connected no more than headersTimeout. So a moved one got a response 408 that it had not asked for.
    ['headersTimeout and requestTimeout while it is idle', 'they do not end it, also with a keepAliveTimeout of 0', [[false, '', true], [false, '', true]]],
    ['headersTimeout from the first byte of the next request', 'it begins anew', [408, true]],
    ['timeout', 'server.timeout holds where there is no keepAliveTimeout', [true]],
    ['maxRequestsPerSocket', 'it begins anew: the request before is not counted', [[true, 'keep-alive'], [true, 'close']]],
    // Node does not count a client that has just connected as idle: the server waited for it until keepAliveTimeout.
    ['close', 'server.close() closes it, as any idle connection', ['closed', true, true]],
  ])('%s: %s', { timeout: 70_000 }, async (name, _what, seen) => {
    const { code, stdout, stderr } = await ended;
    const lines = stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as [string, ...unknown[]]);
    expect(lines.find(([which]) => which === name), stderr).toEqual([name, ...seen]);
    expect([code, stderr]).toEqual([0, '']);
  });
});
