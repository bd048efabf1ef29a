/** What is in flight to one worker, and how each hand-off ends. */
import { expect, test } from 'vitest';
import type { Source } from '../../internal/master/peer';
import { FakeConnection, FakeSource, FakeWorker } from '../support/cluster_fakes';

function handedOff(count: number): { worker: FakeWorker; source: FakeSource; connections: FakeConnection[]; seqs: number[]; outcomes: () => string[] } {
  const worker = new FakeWorker(1);
  const source = new FakeSource();
  const connections = Array.from({ length: count }, (_, at) => new FakeConnection(100 + at));
  for (const connection of connections) expect(worker.peer.handOff('key', connection, worker.seat(), source)).toBe(true);
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

test('what is listed as rejected goes back as rejected, the rest as accepted', () => {
  const { worker, seqs, outcomes } = handedOff(4);
  worker.peer.acknowledge(seqs[3]!, [seqs[1]!, seqs[3]!, 999]);
  expect(outcomes()).toEqual(['0 accepted', '1 rejected', '2 accepted', '3 rejected']);
});

test('M-3: an acknowledgement of a number below everything in flight settles nothing', () => {
  const worker = new FakeWorker(1);
  const source = new FakeSource();
  for (let times = 0; times < 5; times++) worker.peer.send({ ack: times }); // uses up 0 to 4
  worker.peer.handOff('key', new FakeConnection(1), worker.seat(), source);
  for (const number of [0, 4]) worker.peer.acknowledge(number, []);
  expect([source.outcomes, worker.peer.inFlight]).toEqual([[], 1]);
});

test('M-3, P-30: an acknowledgement of a number that was never sent is ignored', () => {
  const { worker, outcomes } = handedOff(2);
  worker.peer.acknowledge(999, []);
  expect([outcomes(), worker.peer.inFlight]).toEqual([[], 2]);
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
  expect(worker.peer.handOff('key', connection, worker.seat(), source)).toBe(false);
  expect(worker.peer.send({ act: 'disconnect' })).toBe(false);
  worker.lose();
  expect([worker.peer.inFlight, connection.closes, source.outcomes, worker.process.sent]).toEqual([0, 0, [], []]);
});

test('hand-offs of two addresses share one order and go back each to its own', () => {
  const worker = new FakeWorker(1);
  const sources = [new FakeSource(), new FakeSource()] as const;
  for (let at = 0; at < 4; at++) worker.peer.handOff(`key ${at % 2}`, new FakeConnection(at), worker.seat(), sources[(at % 2) as 0 | 1]);
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
    settled: (): void => {
      if (handed.length < 3) worker.peer.handOff('key', new FakeConnection(handed.push(handed.length)), worker.seat(), source);
    },
  };
  worker.peer.handOff('key', new FakeConnection(0), worker.seat(), source);
  worker.peer.acknowledge(0, []);
  expect([handed, worker.peer.inFlight]).toEqual([[0], 1]);
  worker.peer.acknowledge(1, []);
  expect(worker.connections.map(({ message }) => message.seq)).toEqual([0, 1, 2]);
});

test('an answer to what the channel has not said to be written waits for that: the connection stays open till then', () => {
  const worker = new FakeWorker(1);
  const source = new FakeSource();
  worker.peer.handOff('key', new FakeConnection(0), worker.seat(), source);
  worker.process.unwritten = [];
  for (const fd of [1, 2]) worker.peer.handOff('key', new FakeConnection(fd), worker.seat(), source);
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
  for (const fd of [0, 1, 2]) worker.peer.handOff('key', new FakeConnection(fd), worker.seat(), source);
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
  for (let at = 0; at < 3; at++) worker.peer.handOff('key', new FakeConnection(at), worker.seat(), source);
  worker.process.unwritten.forEach((written, at) => written(at === 1 ? new Error('write ETOOMANYREFS') : null));
  const outcomes = (): string[] => source.outcomes.map(([{ fd }, outcome]) => `${fd} ${outcome}`);
  expect([outcomes(), worker.peer.inFlight]).toEqual([['1 unsent'], 2]);
  worker.peer.acknowledge(2, [1]);
  expect([outcomes(), worker.peer.inFlight]).toEqual([['1 unsent', '0 accepted', '2 accepted'], 0]);
});

test('what was lost is not unsent as well, when its write fails later', () => {
  const worker = new FakeWorker(1);
  const source = new FakeSource();
  worker.process.unwritten = [];
  for (let at = 0; at < 2; at++) worker.peer.handOff('key', new FakeConnection(at), worker.seat(), source);
  worker.lose();
  for (const written of worker.process.unwritten) written(new Error('write EPIPE'));
  expect(source.outcomes.map(([{ fd }, outcome]) => `${fd} ${outcome}`)).toEqual(['1 lost', '0 lost']);
});

test('a source that hands off again in the moment in which a write fails keeps count of what is written', () => {
  const worker = new FakeWorker(1);
  const outcomes: string[] = [];
  worker.process.unwritten = [];
  const source: Source = {
    settled: (_seat, connection, outcome) => {
      outcomes.push(`${connection.fd} ${outcome}`);
      if (outcome === 'unsent') worker.peer.handOff('key', connection, worker.seat(), source);
    },
  };
  worker.peer.handOff('key', new FakeConnection(7), worker.seat(), source);
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
