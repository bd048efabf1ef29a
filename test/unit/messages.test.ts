/** The guards through which everything comes in from the wire. */
import { beforeAll, describe, expect, test } from 'vitest';
import { CLUSTER, isServerReply, readPrimaryMessage, readWorkerMessage, type PrimaryMessage } from '../../internal/messages';
import { cleanEnvironment, endChildrenAfterEachTest, fixture } from '../support/children';
import { query } from '../support/cluster_fakes';
import { run, type Ended } from '../support/program';

endChildrenAfterEachTest();

const listen = { ...query(), act: 'queryServer' };
const cluster = (fields: object): Record<string, unknown> => ({ cmd: CLUSTER, ...fields });

const nothing: [name: string, value: unknown][] = [
  ['undefined', undefined], ['null', null], ['a string', CLUSTER], ['a number', 5], ['an array', [CLUSTER]], ['an empty object', {}],
  ['another cmd', { cmd: 'NODE_HANDLE', act: 'online' }], ['no cmd', { act: 'online' }], ['cmd in an array', { cmd: [CLUSTER], act: 'online' }],
  ['no act', cluster({})], ['act null', cluster({ act: null })], ['act a number', cluster({ act: 1 })], ['act in an array', cluster({ act: ['online'] })],
  ['an unknown act', cluster({ act: 'nonsense' })],
  ...Object.getOwnPropertyNames(Object.prototype).map((act): [string, unknown] => [`P-31: act ${act}`, cluster({ act, seq: 1, key: 'k' })]),
  ['ack null', cluster({ ack: null })], ['ack a string', cluster({ ack: '1', accepted: true })], ['ack negative', cluster({ ack: -1, accepted: true })],
  ['ack a fraction', cluster({ ack: 0.5, accepted: true })], ['ack not finite', cluster({ ack: Infinity, accepted: true })],
];

describe('what a worker sends', () => {
  test.each<[name: string, message: object]>([
    ['online', { act: 'online' }],
    ['queryServer on a port', listen],
    ['M-1: listen(0) on Node 20', { act: 'queryServer', seq: 1, index: 0, data: null, address: null, port: 0, addressType: 4, backlog: 0 }],
    ['M-1: listen(0, host): backlog false', { act: 'queryServer', seq: 1, index: 0, data: null, address: '127.0.0.1', port: 0, addressType: 4, backlog: false, flags: 0 }],
    ['M-1: a path', { act: 'queryServer', seq: 1, index: 0, data: null, address: '/tmp/s', port: -1, addressType: -1, backlog: 0, readableAll: true }],
    ['M-1: an fd', { act: 'queryServer', seq: 1, index: 0, data: null, address: null, port: null, addressType: null, fd: 12, backlog: 0 }],
    ['M-1: udp', { act: 'queryServer', seq: 1, index: 0, data: null, address: '0.0.0.0', port: 5000, addressType: 'udp4', fd: -1, flags: 4 }],
    ['M-1: an fd of udp', { act: 'queryServer', seq: 1, index: 0, data: null, address: null, port: null, addressType: 'udp6', fd: 12, flags: null }],
    ['M-1: tls', { ...listen, data: { ticketKeys: 'ff'.repeat(48) } }],
    ['listening', { ...listen, act: 'listening', port: 4321 }],
    ['close', { act: 'close', key: '' }],
    ['withdraw', { act: 'withdraw', key: 'k', seq: 3 }],
    ['exitedAfterDisconnect', { act: 'exitedAfterDisconnect', seq: 3 }],
    ['accepted', { act: 'accepted', upTo: 0 }],
    ['accepted with rejected ones', { act: 'accepted', upTo: 9, rejected: [7, 8] }],
    ['a reply', { ack: 0, accepted: false, seq: 4 }],
    ['progress', { act: 'progress', key: 'k', total: 5, open: 0 }], ['progress of a full worker', { act: 'progress', key: 'k', total: 5, open: 9, full: true, found: true }],
  ])('%s is read, and is the very object', (_name, fields) => {
    const message = cluster(fields);
    expect(readWorkerMessage(message)).toBe(message);
  });

  test.each<[name: string, value: unknown]>([
    ...nothing,
    ['a reply without accepted', cluster({ ack: 1 })], ['a reply whose accepted is 1', cluster({ ack: 1, accepted: 1 })],
    ['queryServer without seq', cluster({ ...listen, seq: undefined })], ['queryServer with seq as text', cluster({ ...listen, seq: '1' })],
    ['address a number', cluster({ ...listen, address: 5 })], ['address an object', cluster({ ...listen, address: {} })],
    ['port as text', cluster({ ...listen, port: '80' })], ['port an object', cluster({ ...listen, port: {} })],
    ['addressType unknown', cluster({ ...listen, addressType: 5 })], ['addressType as text', cluster({ ...listen, addressType: '4' })],
    ['addressType unix_dgram', cluster({ ...listen, addressType: 'unix_dgram' })],
    ['fd as text', cluster({ ...listen, fd: '5' })], ['flags as text', cluster({ ...listen, flags: '0' })],
    ['backlog true', cluster({ ...listen, backlog: true })], ['backlog as text', cluster({ ...listen, backlog: '511' })],
    ['an index that is no number and has no text', cluster({ ...listen, index: { toString: 1, valueOf: 1 } })],
    ['listening with a bad address', cluster({ ...listen, act: 'listening', address: 1 })],
    ['close without key', cluster({ act: 'close' })], ['close with key 5', cluster({ act: 'close', key: 5 })],
    ['withdraw without seq', cluster({ act: 'withdraw', key: 'k' })],
    ['exitedAfterDisconnect without seq', cluster({ act: 'exitedAfterDisconnect' })],
    ['accepted without number', cluster({ act: 'accepted' })], ['accepted up to text', cluster({ act: 'accepted', upTo: '5' })],
    ['accepted up to -1', cluster({ act: 'accepted', upTo: -1 })], ['rejected is a number', cluster({ act: 'accepted', upTo: 5, rejected: 5 })],
    ['rejected holds text', cluster({ act: 'accepted', upTo: 5, rejected: ['5'] })], ['rejected null', cluster({ act: 'accepted', upTo: 5, rejected: null })],
    ['progress without key', cluster({ act: 'progress', total: 1, open: 1 })], ['progress without open', cluster({ act: 'progress', key: 'k', total: 1 })],
    ['total not finite', cluster({ act: 'progress', key: 'k', total: Infinity, open: 1 })], ['total below 0', cluster({ act: 'progress', key: 'k', total: -1, open: 1 })],
    ['full is 1', cluster({ act: 'progress', key: 'k', total: 1, open: 1, full: 1 })], ['found is text', cluster({ act: 'progress', key: 'k', total: 1, open: 1, found: 'yes' })],
    ['newconn, which only a primary sends', cluster({ act: 'newconn', key: 'k', seq: 1 })], ['disconnect, the same', cluster({ act: 'disconnect' })],
  ])('M-3: %s is no message', (_name, value) => {
    expect(readWorkerMessage(value)).toBe(null);
  });
});

describe('what a primary sends', () => {
  test.each<[name: string, message: object]>([
    ['newconn', { act: 'newconn', key: 'k', seq: 0 }], ['disconnect', { act: 'disconnect' }], ['a reply', { ack: 4 }],
    ['a quota', { act: 'quota', key: 'k', upTo: 9, mostOpen: 20, step: 8 }], ['no quota', { act: 'quota', key: 'k', step: 8 }],
    ['M-2: the reply to a query', { errno: null, key: 'k', ack: 2, data: null, sockname: { address: '::', family: 'IPv6', port: 1 }, seq: 1 }],
    ['M-2: a failed bind', { errno: -98, key: 'k', ack: 2, data: null }],
  ])('%s is read', (_name, fields) => {
    const message = cluster(fields);
    expect(readPrimaryMessage(message)).toBe(message);
  });

  test.each<[name: string, value: unknown]>([
    ...nothing, ['newconn without key', cluster({ act: 'newconn', seq: 1 })], ['newconn without seq', cluster({ act: 'newconn', key: 'k' })],
    ['quota without step', cluster({ act: 'quota', key: 'k', upTo: 9 })], ['quota up to null', cluster({ act: 'quota', key: 'k', upTo: null, step: 8 })],
    ['newconn with key 1', cluster({ act: 'newconn', seq: 1, key: 1 })], ['queryServer', cluster(listen)], ['online', cluster({ act: 'online' })],
  ])('M-3: %s is no message', (_name, value) => {
    expect(readPrimaryMessage(value)).toBe(null);
  });

  test.each<[name: string, reply: object, is: boolean]>([
    ['round robin', { ack: 1, errno: null, key: 'k', data: null }, true], ['shared', { ack: 1, errno: 0, key: 'k', data: null }, true],
    ['failed', { ack: 1, errno: -98, key: 'k', data: null }, true], ['a bare reply', { ack: 1 }, false],
    ['no errno', { ack: 1, key: 'k' }, false], ['errno text', { ack: 1, key: 'k', errno: 'EINVAL' }, false], ['key missing', { ack: 1, errno: 0 }, false],
    ['key a number', { ack: 1, errno: 0, key: 5 }, false],
  ])('the answer to a query: %s', (_name, reply, is) => {
    expect(isServerReply(reply as PrimaryMessage)).toBe(is);
  });
});

/** With an index of its own, so that each is for another key than the worker's own query and the others. */
const apart = (fields: { index?: unknown }, at: number): object => (fields.index === 0 ? { ...fields, index: 7 + at } : fields);

const forgeries: [name: string, fields: object][] = [
  ['act hasOwnProperty (P-31)', { act: 'hasOwnProperty' }], ['act __proto__', { act: '__proto__' }],
  ['a port above 65535', { ...listen, port: 70000 }], ['a port that is a fraction', { ...listen, port: 1.5 }],
  ['a negative port without an address', { ...listen, port: -1, address: null, addressType: -1 }],
  ['an empty path', { ...listen, port: -1, address: '', addressType: -1 }],
  ['a path with a zero byte', { ...listen, port: -1, address: '/tmp/a\0b/c', addressType: -1 }],
  ['an address that is none', { ...listen, address: '999.999.999.999', port: 1 }],
  ['a negative backlog', { ...listen, backlog: -5 }], ['a huge backlog', { ...listen, backlog: 1e12 }],
  ['an fd that is not open', { ...listen, port: null, address: null, addressType: null, fd: 9999 }],
  ['an fd that is a fraction', { ...listen, port: null, address: null, addressType: null, fd: 3.5 }],
  ['a datagram port above 65535', { ...listen, addressType: 'udp4', port: 70000 }],
  ['a datagram fd that is not open', { ...listen, addressType: 'udp4', port: null, address: null, fd: 9999 }],
  ['a datagram fd that is a fraction', { ...listen, addressType: 'udp4', port: null, address: null, fd: 3.5 }],
  ['unknown datagram flags', { ...listen, addressType: 'udp4', flags: 0xffff }],
  ['an index without text', { ...listen, port: 0, index: { toString: 1, valueOf: 1 } }],
  ['a listening of nothing', { ...listen, act: 'listening' }], ['close of an unknown key', { act: 'close', key: '__proto__' }],
];

describe('D6, D18: a primary outlives', () => {
  let ended: Ended;
  // One worker sends them all: to start a cluster for each costs more than everything else here.
  beforeAll(async () => {
    ended = await run(fixture('unit-forging-worker.js'), {
      env: cleanEnvironment({ UNIT_FORGERIES: JSON.stringify(forgeries.map(([, fields], at) => cluster({ ...apart(fields, at), seq: 50 + at }))) }),
    });
  });

  test.each(forgeries.map(([name], at) => [name, at] as const))('%s', (_name, at) => {
    expect(ended.stdout.split('\n')[at]).toBe('served');
  });

  test('and ends as it should', () => {
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'served\n'.repeat(forgeries.length), stderr: '' });
  });
});

describe('D41: a worker whose answer cannot be true is cut off', () => {
  test.each<[name: string, fields: object]>([
    ['a reply to nothing', { ack: 12345, accepted: true }], ['the acknowledgement of nothing', { act: 'accepted', upTo: 12345 }],
  ])('%s', async (_name, fields) => {
    // What the worker says on its stderr is its own: it may be about to write.
    const { code, stdout } = await run(fixture('unit-forging-worker.js'), {
      env: cleanEnvironment({ UNIT_FORGERIES: JSON.stringify([cluster({ ...fields, seq: 50 })]), UNIT_ERRORS: 'told' }),
    });
    expect([stdout, code]).toEqual(['ERR_IPC_SENSELESS_ANSWER\n', 0]);
  });
});
