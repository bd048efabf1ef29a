/** Which of the sockets that systemd has passed a worker gets for which address, and what is no such socket. */
import dgram from 'node:dgram';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import net from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { datagramHandleOf, handleOf } from '../../internal/native/handles';
import type { QueryServer } from '../../internal/messages';
import { fixture } from '../support/children';
import { Program } from '../support/program';
import { activated } from '../support/systemd';

const directory = mkdtempSync(path.join(tmpdir(), 'inherited-'));
const atPath = path.join(directory, 'app.sock');
const abstract = `\0cluster-internals-test-${process.pid}`;
const query = (fields: Partial<QueryServer>): Partial<QueryServer> => ({ act: 'queryServer', seq: 1, index: 0, address: null, port: null, addressType: 4, flags: 0, ...fields });

interface Result {
  readonly refused: readonly (readonly [number, ...string[]])[];
  readonly warnings: readonly string[];
  readonly list: readonly { readonly fd: number; readonly name: string; readonly address: string; readonly port: number | null }[];
  readonly given: readonly unknown[];
  readonly variables: readonly string[];
}

const cases: (readonly [what: string, query: Partial<QueryServer>, fd: number | null])[] = [];
let result: Result;

beforeAll(async () => {
  const servers: net.Server[] = [];
  const fdOf = async (options: net.ListenOptions): Promise<[fd: number, port: number]> => {
    const server = net.createServer().listen(options);
    servers.push(server);
    await once(server, 'listening');
    const address = server.address();
    return [handleOf(server)?.fd as number, typeof address === 'object' && address !== null ? address.port : 0];
  };
  const [local, localPort] = await fdOf({ host: '127.0.0.1', port: 0 });
  const [any6, any6Port] = await fdOf({ host: '::', port: 0 });
  const [any4, any4Port] = await fdOf({ host: '0.0.0.0', port: 0 });
  const [local6, local6Port] = await fdOf({ host: '::1', port: 0 });
  const [unix] = await fdOf({ path: atPath });
  const [unnamed] = await fdOf({ path: abstract });
  const udp = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(udp, 'listening');
  const file = openSync(__filename, 'r');
  const client = net.connect(localPort, '127.0.0.1');
  await once(client, 'connect');
  // fd        3      4     5     6       7     8        9                                   10    11 (a connection); most beyond are closed
  const fds = [local, any6, any4, local6, unix, unnamed, datagramHandleOf(udp)?.fd as number, file, handleOf(client)?.fd as number];
  const udpPort = udp.address().port;
  cases.push(
    ['a port alone: the socket of every address', query({ port: any6Port }), 4],
    ['a port alone: one that is for IPv4 only', query({ port: any4Port }), 5],
    ['a port alone: the unit says at which address', query({ port: localPort }), 3],
    ['0.0.0.0 is served by [::]', query({ address: '0.0.0.0', port: any6Port }), 4],
    [':: is served by 0.0.0.0', query({ address: '::', port: any4Port, addressType: 6 }), 5],
    [':: for IPv6 only is not', query({ address: '::', port: any4Port, addressType: 6, flags: 1 }), null],
    ['exactly this address', query({ address: '127.0.0.1', port: localPort }), 3],
    ['another form of it', query({ address: '0:0:0:0:0:0:0:1', port: local6Port, addressType: 6 }), 6],
    ['another address', query({ address: '127.0.0.2', port: localPort }), null],
    ['an address is not served by every address', query({ address: '127.0.0.1', port: any4Port }), null],
    ['every address is not asked for at 127.0.0.1', query({ address: '0.0.0.0', port: localPort }), null],
    ['another port', query({ port: 1 }), null],
    ['port 0', query({ port: 0 }), null],
    ['a path', query({ address: atPath, port: -1, addressType: -1 }), 7],
    ['the same path, written otherwise', query({ address: `${directory}/./app.sock`, port: -1, addressType: -1 }), 7],
    ['another path', query({ address: `${atPath}2`, port: -1, addressType: -1 }), null],
    ['an abstract path', query({ address: abstract, port: -1, addressType: -1 }), 8],
    ['UDP', query({ address: '127.0.0.1', port: udpPort, addressType: 'udp4' }), 9],
    ['UDP is not TCP', query({ address: '127.0.0.1', port: udpPort }), null],
    ['UDP over IPv6 is not UDP over IPv4', query({ address: null, port: udpPort, addressType: 'udp6' }), null],
    ['an fd', query({ fd: 7, addressType: null }), 7],
    ['an fd that is no such socket', query({ fd: 10, addressType: null }), null],
  );
  const environments = [{ LISTEN_FDS: 'garbage' }, { LISTEN_FDS: '-1' }, { LISTEN_FDS: '1e9' }, { LISTEN_FDS: '99999999999999999999' }, {}, { LISTEN_FDS: '0' }, { LISTEN_PID: '1', LISTEN_FDS: '9' }, { LISTEN_PID: 'x', LISTEN_FDS: '9' }];
  const options = activated(fds, 'web:any:any4:six:path', '90');
  try {
    const program = new Program(fixture('inherited_sockets.js'), { ...options, args: [JSON.stringify({ queries: cases.map(([, each]) => each), environments })] });
    const { stdout, stderr, code } = await program.ended;
    expect([code, stderr]).toEqual([0, '']);
    result = JSON.parse(stdout) as Result;
  } finally {
    client.destroy();
    closeSync(file);
    await new Promise<void>((resolve) => udp.close(() => resolve()));
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
  }
});
afterAll(() => rmSync(directory, { recursive: true }));

test('all that can be listened on, with name and address', () => {
  expect(result.list.map(({ fd, name, address }) => [fd, name, address])).toEqual([
    [3, 'web', '127.0.0.1'], [4, 'any', '::'], [5, 'any4', '0.0.0.0'], [6, 'six', '::1'], [7, 'path', atPath], [8, '', abstract], [9, '', '127.0.0.1'],
  ]);
  expect(result.variables).toContain('LISTEN_PID');
});

test('a file, a connection and closed fds are told, with their reasons', () => {
  expect(result.warnings).toEqual([
    expect.stringMatching(/^LISTEN_FDS promises fd 10(, \d+)*(, …)?, which is not a socket. It is not used$/), // Beyond 11 there are some that Node has opened.
    expect.stringMatching(/^LISTEN_FDS promises fd 11, which is a connection and no listening socket/),
    expect.stringMatching(/^LISTEN_FDS promises fd (\d+, ){10}…, which is closed. It is not used$/),
  ]);
});

test('a count that is none is told; what was meant for another process is ignored without a word', () => {
  const none = (text: string): unknown => [0, `LISTEN_FDS is '${text}', which is no number of sockets: none is used`];
  expect(result.refused).toEqual([none('garbage'), none('-1'), none('1e9'), none('99999999999999999999'), none(''), [0], [0], [0]]);
});

test('each address gets the socket that fits, which is given back when it is closed', () => {
  expect(cases.map(([what], index) => [what, result.given[index]])).toEqual(cases.map(([what, , fd]) => [what, fd]));
});
