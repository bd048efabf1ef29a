/** What is in flight to one worker, and how each hand-off ends. */
import { expect, test, vi } from 'vitest';
import { Calls } from '../../internal/calls';
import type { Source } from '../../internal/master/peer';
import type { Accepted, NewConnectionReply } from '../../internal/messages';
import { FakeConnection, FakeSource, FakeWorker } from '../support/cluster_fakes';

function handedOff(count: number): { worker: FakeWorker; source: FakeSource; connections: FakeConnection[]; seqs: number[]; outcomes: () => string[] } {
  const worker = new FakeWorker(1);
  const source = new FakeSource();
  const connections = Array.from({ length: count }, (_, at) => new FakeConnection(100 + at));
  for (const connection of connections) expect(worker.peer.handOff('key', connection, worker.candidate(), source)).toBe(true);
  return {
    worker, source, connections, seqs: worker.connections.map(({ message }) => message.seq),
    outcomes: () => source.outcomes.map(([connection, outcome]) => `${(connection.fd ?? 0) - 100} ${outcome}`),
  };
}

test('R-5: a hand-off is one newconn with its key and the connection', () => {
  const { worker, connections } = handedOff(2);
  expect(worker.connections.map(({ message, handle }) => [message, handle])).toEqual([
    [{ cmd: 'NODE_CLUSTER', act: 'newconn', key: 'key', seq: 0 }, connections[0]],
    [{ cmd: 'NODE_CLUSTER', act: 'newconn', key: 'key', seq: 1 }, connections[1]],
  ]);
  expect(worker.peer.inFlight).toBe(2);
  expect(connections.map(({ closes }) => closes)).toEqual([0, 0]); // its source owns it again afterwards
});

test('an acknowledgement ends everything up to its number, in order, and nothing twice', () => {
  const { worker, seqs, outcomes } = handedOff(4);
  worker.peer.acknowledge(seqs[1]!, []);
  expect([outcomes(), worker.peer.inFlight]).toEqual([['0 accepted', '1 accepted'], 2]);
  worker.peer.acknowledge(seqs[1]!, []);
  worker.peer.acknowledge(seqs[0]!, []);
  expect(worker.peer.inFlight).toBe(2);
  worker.peer.acknowledge(seqs[3]!, []);
  expect([outcomes().slice(2), worker.peer.inFlight]).toEqual([['2 accepted', '3 accepted'], 0]);
});

// The worker was cut off: 0 was the number of no hand-off.
test('counts before the first hand-off: the worker has accepted by itself (`shared`), and names none', () => {
  const worker = new FakeWorker(1);
  worker.peer.count('key');
  const reports: unknown[] = [];
  expect(worker.peer.answer({ act: 'accepted', upTo: 0, open: { key: 3 } }, (open) => void reports.push(open))).toBe(true);
  expect(reports).toEqual([{ key: 3 }]);
});

test('what is listed as rejected goes back as rejected, the rest as accepted', () => {
  const { worker, seqs, outcomes } = handedOff(4);
  worker.peer.acknowledge(seqs[3]!, [seqs[1]!, seqs[3]!]);
  expect(outcomes()).toEqual(['0 accepted', '1 rejected', '2 accepted', '3 rejected']);
});

test('M-3: an acknowledgement of a number below everything in flight settles nothing', () => {
  const worker = new FakeWorker(1);
  const source = new FakeSource();
  for (let times = 0; times < 5; times++) worker.peer.send({ ack: times }); // uses up 0 to 4
  worker.peer.handOff('key', new FakeConnection(1), worker.candidate(), source);
  for (const number of [0, 4]) worker.peer.acknowledge(number, []);
  expect([source.outcomes, worker.peer.inFlight]).toEqual([[], 1]);
});

/** Of two hand-offs, seq 0 and 1. */
const lies: [what: string, message: Accepted | NewConnectionReply][] = [
  ['of a number that was never handed off', { act: 'accepted', upTo: 999 }],
  ['that rejects what was never handed off', { act: 'accepted', upTo: 1, rejected: [999] }],
  ['that rejects what it does not answer', { act: 'accepted', upTo: 0, rejected: [1] }],
  ['that rejects one of them twice', { act: 'accepted', upTo: 1, rejected: [0, 0] }],
  ['that rejects more than there are', { act: 'accepted', upTo: 1, rejected: [0, 1, 2] }],
  ['that counts at an address where it was not asked to', { act: 'accepted', upTo: 1, open: { other: 1 } }],
  ['dialect node: to what was never handed off', { ack: 999, accepted: true }],
];

test.each(lies)('an answer %s changes nothing, and its sender is told from the others', (_what, message) => {
  const { worker, outcomes } = handedOff(2);
  worker.peer.count('key');
  expect(worker.peer.answer(message, () => { throw new Error('it counts'); })).toBe(false);
  expect([outcomes(), worker.peer.inFlight]).toEqual([[], 2]);
});

test('an address is counted from the request on until the worker has closed there', () => {
  const { worker, seqs } = handedOff(2);
  const counted: object[] = [];
  const answer = (open: Record<string, number>): boolean => worker.peer.answer({ act: 'accepted', upTo: seqs[0]!, open }, (counts) => counted.push(counts));
  worker.peer.count('key');
  expect([answer({ key: 3 }), answer({})]).toEqual([true, true]);
  worker.peer.forget('key'); // The primary has disconnected it: it does not know yet.
  expect(answer({ key: 4 })).toBe(true);
  worker.peer.closed('key');
  expect([answer({ key: 5 }), counted]).toEqual([false, [{ key: 3 }, {}, { key: 4 }]]);
});

test('an answer with a million rejected numbers is refused in the time of its length', () => {
  const { worker } = handedOff(1000);
  const rejected = Array.from({ length: 1_000_000 }, (_, at) => at + 1000);
  const began = process.cpuUsage(); // Processor time: other programs may run in between.
  expect(worker.peer.acknowledge(999, rejected)).toBe(false);
  expect(worker.peer.acknowledge(999, rejected.slice(0, 1000))).toBe(false);
  expect(process.cpuUsage(began).user / 1000, 'a billion comparisons took seconds').toBeLessThan(500);
  expect(worker.peer.acknowledge(999, Array.from({ length: 1000 }, (_, seq) => seq))).toBe(true);
});

test('the ends of writes may be told in any order', () => {
  for (const order of permutations([0, 1, 2])) {
    for (const answerAt of [0, 1, 2, 3]) {
      const worker = new FakeWorker(1);
      const source = new FakeSource();
      const closed: string[] = [];
      worker.process.unwritten = [];
      for (const fd of [0, 1, 2]) worker.peer.handOff('key', new FakeConnection(fd), worker.candidate(), source);
      for (const [at, seq] of [...order, -1].entries()) {
        if (at === answerAt) worker.peer.acknowledge(2, [1]);
        if (seq >= 0) worker.process.unwritten[seq]?.(null);
        for (const [{ fd }] of source.outcomes.slice(closed.length)) closed.push(`${fd}`);
        // Nothing is settled, and so closed, before its own write is told.
        for (const one of closed) expect(order.slice(0, at + 1).map(String)).toContain(one);
      }
      expect(source.outcomes.map(([{ fd }, outcome]) => `${fd} ${outcome}`).sort()).toEqual(['0 accepted', '1 rejected', '2 accepted']);
      expect(worker.peer.inFlight).toBe(0);
    }
  }
});

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));
}

test('what was made ready to hand off at an address is dropped when the worker is no more asked there', () => {
  const prepare = vi.spyOn(Calls.prototype, 'prepare');
  const worker = new FakeWorker(1);
  const handOff = (): boolean => worker.peer.handOff('key', new FakeConnection(1), worker.candidate(), new FakeSource());
  handOff();
  handOff();
  expect(prepare).toHaveBeenCalledTimes(1);
  worker.peer.forget('key');
  handOff();
  expect(prepare).toHaveBeenCalledTimes(2);
  prepare.mockRestore();
});

test('dialect node: each reply ends its own hand-off, whichever comes first', () => {
  const { worker, outcomes } = handedOff(3);
  for (const ack of [1, 0, 2]) expect(worker.peer.answer({ ack, accepted: ack !== 0 }, () => undefined)).toBe(true);
  expect([outcomes(), worker.peer.inFlight]).toEqual([['1 accepted', '0 rejected', '2 accepted'], 0]);
  expect(worker.peer.answer({ ack: 1, accepted: true }, () => undefined)).toBe(false);
});

test('lost: everything in flight ends, the latest first, so that each can be put at the head of its queue', () => {
  const { worker, seqs, outcomes } = handedOff(4);
  worker.peer.acknowledge(seqs[0]!, []);
  worker.lose();
  expect(outcomes()).toEqual(['0 accepted', '3 lost', '2 lost', '1 lost']);
  expect(worker.peer.inFlight).toBe(0);
  worker.lose();
  worker.peer.acknowledge(seqs[3]!, []);
  expect(outcomes().length).toBe(4);
});

test('without a channel nothing is handed off, and the caller keeps the connection', () => {
  const worker = new FakeWorker(1);
  const source = new FakeSource();
  const connection = new FakeConnection(1);
  worker.process.connected = false;
  expect(worker.peer.handOff('key', connection, worker.candidate(), source)).toBe(false);
  expect(worker.peer.send({ act: 'disconnect' })).toBe(false);
  worker.lose();
  expect([worker.peer.inFlight, connection.closes, source.outcomes, worker.process.sent]).toEqual([0, 0, [], []]);
});

test('hand-offs of two addresses share one order and go back each to its own', () => {
  const worker = new FakeWorker(1);
  const sources = [new FakeSource(), new FakeSource()] as const;
  for (let at = 0; at < 4; at++) worker.peer.handOff(`key ${at % 2}`, new FakeConnection(at), worker.candidate(), sources[(at % 2) as 0 | 1]);
  worker.peer.acknowledge(worker.connections[1]!.message.seq, []);
  worker.lose();
  expect(sources.map(({ outcomes }) => outcomes.map(([{ fd }, outcome]) => `${fd} ${outcome}`))).toEqual([
    ['0 accepted', '2 lost'], ['1 accepted', '3 lost'],
  ]);
});

test('a source that hands off again while it is told keeps the table in order', () => {
  const worker = new FakeWorker(1);
  const handed: number[] = [];
  const source = {
    ended: (): void => {
      if (handed.length < 3) worker.peer.handOff('key', new FakeConnection(handed.push(handed.length)), worker.candidate(), source);
    },
  };
  worker.peer.handOff('key', new FakeConnection(0), worker.candidate(), source);
  worker.peer.acknowledge(0, []);
  expect([handed, worker.peer.inFlight]).toEqual([[0], 1]);
  worker.peer.acknowledge(1, []);
  expect(worker.connections.map(({ message }) => message.seq)).toEqual([0, 1, 2]);
});

test('an answer to what the channel has not said to be written waits for that: the connection stays open till then', () => {
  const worker = new FakeWorker(1);
  const source = new FakeSource();
  worker.peer.handOff('key', new FakeConnection(0), worker.candidate(), source);
  worker.process.unwritten = [];
  for (const fd of [1, 2]) worker.peer.handOff('key', new FakeConnection(fd), worker.candidate(), source);
  const outcomes = (): string[] => source.outcomes.map(([{ fd }, outcome]) => `${fd} ${outcome}`);
  worker.peer.acknowledge(1, [1]);
  expect([outcomes(), worker.peer.inFlight]).toEqual([['0 accepted'], 2]);
  worker.process.unwritten[0]?.(null);
  expect([outcomes(), worker.peer.inFlight]).toEqual([['0 accepted', '1 rejected'], 1]);
  worker.process.unwritten[1]?.(null);
  expect(worker.peer.inFlight).toBe(1);
});

test('a worker that is lost between its answer and the news of the write has answered: nothing is sent again', () => {
  const worker = new FakeWorker(1);
  const source = new FakeSource();
  worker.process.unwritten = [];
  for (const fd of [0, 1, 2]) worker.peer.handOff('key', new FakeConnection(fd), worker.candidate(), source);
  worker.peer.acknowledge(1, [0]);
  worker.lose();
  expect(source.outcomes.map(([{ fd }, outcome]) => `${fd} ${outcome}`)).toEqual(['2 lost', '1 accepted', '0 rejected']);
  for (const written of worker.process.unwritten) written(null);
  expect([source.outcomes.length, worker.peer.inFlight]).toEqual([3, 0]);
});

test('a hand-off that could not be written goes back at once, as unsent, and its number means nothing any more', () => {
  const worker = new FakeWorker(1);
  const source = new FakeSource();
  worker.process.unwritten = [];
  for (let at = 0; at < 3; at++) worker.peer.handOff('key', new FakeConnection(at), worker.candidate(), source);
  worker.process.unwritten.forEach((written, at) => written(at === 1 ? new Error('write ETOOMANYREFS') : null));
  const outcomes = (): string[] => source.outcomes.map(([{ fd }, outcome]) => `${fd} ${outcome}`);
  expect([outcomes(), worker.peer.inFlight]).toEqual([['1 unsent'], 2]);
  expect(worker.peer.acknowledge(2, [1])).toBe(false);
  expect(worker.peer.acknowledge(2, [])).toBe(true);
  expect([outcomes(), worker.peer.inFlight]).toEqual([['1 unsent', '0 accepted', '2 accepted'], 0]);
});

test('what was lost is not unsent as well, when its write fails later', () => {
  const worker = new FakeWorker(1);
  const source = new FakeSource();
  worker.process.unwritten = [];
  for (let at = 0; at < 2; at++) worker.peer.handOff('key', new FakeConnection(at), worker.candidate(), source);
  worker.lose();
  for (const written of worker.process.unwritten) written(new Error('write EPIPE'));
  expect(source.outcomes.map(([{ fd }, outcome]) => `${fd} ${outcome}`)).toEqual(['1 lost', '0 lost']);
});

test('a source that hands off again in the moment in which a write fails keeps count of what is written', () => {
  const worker = new FakeWorker(1);
  const outcomes: string[] = [];
  worker.process.unwritten = [];
  const source: Source = {
    ended: (_candidate, connection, outcome) => {
      outcomes.push(`${connection.fd} ${outcome}`);
      if (outcome === 'unsent') worker.peer.handOff('key', connection, worker.candidate(), source);
    },
  };
  worker.peer.handOff('key', new FakeConnection(7), worker.candidate(), source);
  worker.process.unwritten.shift()!(new Error('write ETOOMANYREFS'));
  worker.peer.acknowledge(1, []); // not written yet
  expect(outcomes).toEqual(['7 unsent']);
  worker.process.unwritten.shift()!(null);
  worker.peer.acknowledge(1, []);
  expect(outcomes).toEqual(['7 unsent', '7 accepted']);
});

test('a channel that this side has ended: nobody knows what the worker took', () => {
  const { worker, outcomes } = handedOff(2);
  worker.lose('untold');
  expect(outcomes()).toEqual(['1 untold', '0 untold']);
});
