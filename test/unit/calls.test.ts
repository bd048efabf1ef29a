/** The numbered messages to one peer, and the calls among them. */
import { expect, test } from 'vitest';
import { Calls } from '../../internal/calls';
import { FakeConnection, FakeProcess } from '../support/cluster_fakes';

function calls(firstSeq = 0): { target: FakeProcess; subject: Calls<string>; numbers: () => number[] } {
  const target = new FakeProcess();
  return { target, subject: new Calls<string>(target, 'P', 'W1', firstSeq), numbers: () => target.sent.map(({ message }) => message.seq) };
}

test('section 3: a message is cmd, its own fields and the next number, in this order', () => {
  const { target, subject } = calls();
  expect(subject.notify({ act: 'online' })).toBe(0);
  expect(subject.notify({ act: 'newconn', key: 'k' }, new FakeConnection(7))).toBe(1);
  expect(target.sent.map(({ message }) => JSON.stringify(message))).toEqual([
    '{"cmd":"NODE_CLUSTER","act":"online","seq":0}', '{"cmd":"NODE_CLUSTER","act":"newconn","key":"k","seq":1}',
  ]);
  expect(target.sent.map(({ handle }) => handle?.fd)).toEqual([undefined, 7]);
});

test('the first number can be given, where another has counted before', () => {
  const { subject, numbers } = calls(1);
  subject.notify({});
  subject.call({}, () => {});
  expect(numbers()).toEqual([1, 2]);
});

test('P-32, D7: two peers number apart, and the reply of one never settles what the other was asked', () => {
  const one = calls();
  const other = calls();
  const settled: string[] = [];
  one.subject.call({}, () => settled.push('one'));
  expect(other.subject.resolve(0, 'reply', undefined)).toBe(false);
  expect(settled).toEqual([]);
  other.subject.call({}, () => settled.push('other'));
  expect([one.numbers(), other.numbers()]).toEqual([[0], [0]]);
});

test('a call ends once, by the reply that names its number, with what came with it', () => {
  const { subject } = calls();
  const settled: unknown[] = [];
  subject.notify({});
  subject.call({ ask: 1 }, (...reply) => settled.push(['first', ...reply]));
  subject.call({ ask: 2 }, (...reply) => settled.push(['second', ...reply]));
  const handle = new FakeConnection(3);
  expect(subject.resolve(2, 'b', handle)).toBe(true);
  expect(subject.resolve(2, 'b again', undefined)).toBe(false);
  expect(subject.resolve(1, 'a', undefined)).toBe(true);
  expect(settled).toEqual([['second', 'b', handle], ['first', 'a', undefined]]);
});

test.each([0, 7, -1, 1.5, NaN])('M-3: a reply to number %s, which nobody called with, settles nothing', (ack) => {
  const { subject } = calls();
  let settled = 0;
  subject.notify({});
  subject.call({}, () => settled++);
  expect(subject.resolve(ack, 'reply', undefined)).toBe(false);
  expect(settled).toBe(0);
});

test('every order of {reply 0, reply 1, loss} settles each call exactly once', () => {
  const orders = [['0', '1', 'loss'], ['0', 'loss', '1'], ['1', '0', 'loss'], ['1', 'loss', '0'], ['loss', '0', '1'], ['loss', '1', '0']];
  for (const order of orders) {
    const { subject } = calls();
    const ends: Record<string, (string | null)[]> = { 0: [], 1: [] };
    subject.call({}, (reply) => ends['0']?.push(reply));
    subject.call({}, (reply) => ends['1']?.push(reply));
    for (const step of order) {
      if (step === 'loss') subject.lose();
      else subject.resolve(Number(step), `reply ${step}`, undefined);
    }
    for (const number of ['0', '1']) {
      const before = order.indexOf(number) < order.indexOf('loss');
      expect([order, ends[number]]).toEqual([order, [before ? `reply ${number}` : null]]);
    }
  }
});

test('the loss ends pending calls in the order in which they were made', () => {
  const { subject } = calls();
  const ended: number[] = [];
  for (const call of [1, 2, 3]) subject.call({}, () => ended.push(call));
  subject.lose();
  subject.lose();
  expect(ended).toEqual([1, 2, 3]);
});

test('section 3: without a channel nothing is sent, no number is used, no call is pending', () => {
  const { target, subject, numbers } = calls();
  let settled = 0;
  target.connected = false;
  expect(subject.notify({})).toBe(-1);
  expect(subject.call({}, () => settled++)).toBe(false);
  subject.lose();
  expect([settled, target.sent.length]).toEqual([0, 0]);
  target.connected = true;
  subject.notify({});
  expect(numbers()).toEqual([0]);
  expect(new Calls({ connected: true }, 'P', 'W1').notify({})).toBe(-1);
});

test('a reply that comes inside the send finds its call', () => {
  const { target, subject } = calls();
  const settled: unknown[] = [];
  target.send = (message) => subject.resolve((message as { seq: number }).seq, 'at once', undefined);
  expect(subject.call({}, (reply) => settled.push(reply))).toBe(true);
  expect(settled).toEqual(['at once']);
});

test('a call made while another ends has a number of its own', () => {
  const { subject, numbers } = calls();
  const settled: (string | null)[] = [];
  subject.call({}, () => void subject.call({}, (reply) => settled.push(reply)));
  subject.resolve(0, 'first', undefined);
  subject.resolve(1, 'second', undefined);
  expect([numbers(), settled]).toEqual([[0, 1], ['second']]);
});
