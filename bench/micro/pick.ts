/** The cost of one choice among sixteen workers, by a rule of internal/master/scheduling.ts. bench/rows/micro.ts runs this file. */
import { Scheduler } from '../../internal/master/scheduler';
import { WINDOW, type Scheduling, type Candidate } from '../../internal/master/scheduling';
import { FakeConnection } from '../../test/support/cluster_fakes';
import { answerWith, ready } from '../servers/control';

const WORKERS = 16;
/** Hand-offs in flight when a pick is made. */
const BUSY = 40;

/** A client with an address, which the rule `sticky` reads. */
const client = Object.assign(new FakeConnection(1), {
  getpeername: (out: object): number => (Object.assign(out, { address: '127.0.0.1', port: 1 }), 0),
});

answerWith({
  /** Nanoseconds per pick, with some workers busier than others. */
  measure({ times, scheduling }: { times: number; scheduling: Scheduling }): number {
    const scheduler = new Scheduler<number>(scheduling);
    for (let worker = 0; worker < WORKERS; worker++) scheduler.add(worker, worker, WINDOW);
    const inFlight = Array.from({ length: BUSY }, () => scheduler.next(client));
    const begin = process.hrtime.bigint();
    for (let time = 0; time < times; time++) {
      // The oldest of them is acknowledged, the next takes its place.
      const oldest = inFlight[time % BUSY];
      if (oldest) scheduler.ended(oldest as Candidate<number>, 'accepted');
      inFlight[time % BUSY] = scheduler.next(client);
    }
    return Number(process.hrtime.bigint() - begin) / times;
  },
});
ready({ pids: [process.pid] });
