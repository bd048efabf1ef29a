/** What it costs to ask the rule of scheduling.ts for the next of sixteen workers. Run by rows/micro.ts. */
import { Rotation, WINDOW } from '../../internal/master/scheduling';
import { answerWith, ready } from '../servers/control';

const WORKERS = 16;
/** Hand-offs in flight when a pick is made. */
const BUSY = 40;

answerWith({
  /** Nanoseconds per pick, with some workers busier than others. */
  measure({ times }: { times: number }): number {
    const rotation = new Rotation<object>();
    for (let worker = 0; worker < WORKERS; worker++) rotation.add({}, WINDOW);
    const inFlight = Array.from({ length: BUSY }, () => rotation.next());
    const begin = process.hrtime.bigint();
    for (let time = 0; time < times; time++) {
      // The oldest of them is acknowledged, the next takes its place.
      const oldest = inFlight[time % BUSY];
      if (oldest) oldest.inFlight--;
      inFlight[time % BUSY] = rotation.next();
    }
    return Number(process.hrtime.bigint() - begin) / times;
  },
});
ready({ pids: [process.pid] });
