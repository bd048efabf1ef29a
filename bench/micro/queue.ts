/**
 * The cost of one connection in the primary's own code (accept, hand off, acknowledge) while others are queued.
 * Workers and handles are in memory, so the kernel's work is left out. bench/rows/micro.ts runs this file in a
 * process of its own.
 */
import net from 'node:net';
import { RoundRobinHandle } from '../../internal/master/round_robin_handle';
import type { ListeningHandle } from '../../internal/native/bindings';
import { FakeConnection, FakeWorker, query } from '../../test/support/cluster_fakes';
import { answerWith, ready } from '../servers/control';

const WORKERS = 2;

class Queue {
  readonly #workers: FakeWorker[];
  readonly #listening: ListeningHandle;
  #turn = 0;

  /** A listening handle with `length` accepted connections: the workers' windows are full, and the rest is queued. */
  constructor(length: number, listening: ListeningHandle, workers: FakeWorker[]) {
    this.#workers = workers;
    this.#listening = listening;
    for (let queued = 0; queued < length; queued++) this.#accept();
  }

  /** Accepts one connection and acknowledges one, `times` times; returns the nanoseconds for each. */
  measure(times: number): number {
    const begin = process.hrtime.bigint();
    for (let time = 0; time < times; time++) {
      this.#accept();
      const worker = this.#workers[this.#turn++ % WORKERS] as FakeWorker;
      worker.acknowledgeAll();
      worker.process.sent.splice(0, worker.process.sent.length - 1);
    }
    return Number(process.hrtime.bigint() - begin) / times;
  }

  #accept(): void {
    this.#listening.onconnection?.(0, new FakeConnection(0));
  }
}

/** RoundRobinHandle creates a net.Server and takes its native handle. This function gets that handle first. */
async function queueOf(length: number): Promise<Queue> {
  const createServer = net.createServer;
  let listening: ListeningHandle | undefined;
  net.createServer = (() => {
    const server = createServer();
    server.once('listening', () => { listening = (server as unknown as { _handle: ListeningHandle })._handle; });
    return server;
  }) as typeof createServer;
  const handle = new RoundRobinHandle(`queue of ${length}`, query());
  net.createServer = createServer;
  const workers = Array.from({ length: WORKERS }, (_, at) => new FakeWorker(at + 1));
  await Promise.all(workers.map((worker) => new Promise<void>((resolve) => handle.add(worker.peer, () => resolve()))));
  return new Queue(length, listening as ListeningHandle, workers);
}

const queues = new Map<number, Queue>();

answerWith({
  /** Nanoseconds per connection while `length` others are queued. */
  async measure({ length, times }: { length: number; times: number }): Promise<number> {
    let queue = queues.get(length);
    if (queue === undefined) queues.set(length, queue = await queueOf(length));
    return queue.measure(times);
  },
});
ready({ pids: [process.pid] });
