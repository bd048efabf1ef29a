/**
 * Plays one death during an upgrade under load: the successor (S) or the primary that is replaced (P) is killed at one message
 * between the two. The sender dies right before the message leaves, the receiver right after it was read.
 */
import { Kept } from '../moving/supervised';
import { Asking } from './asking';
import { Probe, Upgraded } from './upgraded';

/** All messages of internal/upgrade/messages.ts in their order, without those of the shared state, and `stop`. */
export const MESSAGES = ['hello', 'address', 'begin', 'ready', 'commit', 'serving', 'connection', 'taken', 'last', 'done'] as const;

/** One of the two primaries, and the message at which it is killed. */
export interface Death { readonly who: 'S' | 'P'; readonly at: (typeof MESSAGES)[number] }

/** All deaths. */
export const DEATHS: readonly Death[] = (['S', 'P'] as const).flatMap((who) => MESSAGES.map((at) => ({ who, at })));

/** Who serves after it: S does not outlive P before the commit has left, and then nobody does, as after any death of a primary. */
export const heirOf = ({ who, at }: Death): 'P' | 'S' | 'nobody' => (who === 'S' ? 'P' : MESSAGES.indexOf(at) <= MESSAGES.indexOf('commit') ? 'nobody' : 'S');

/** What has become of the clients. */
export interface Outcome {
  readonly serves: 'P' | 'S' | 'nobody';
  /** Requests of clients that open a connection for each. */
  readonly requests: number;
  /** One line for each of them that was not answered. */
  readonly failed: readonly string[];
  /** Connects that were refused, reset, or not answered. */
  readonly refused: readonly string[];
  /** Of IDLE connections that were kept alive. */
  readonly closed: number;
  /** The reason that the old primary has told, if it lives. */
  readonly reason: string;
}

/** How many idle connections each run has. */
export const IDLE = 10;

/** Plays it. */
export async function die(death: Death): Promise<Outcome> {
  const app = new Upgraded({ options: { workers: 1 }, env: { DIES: `${death.who} ${death.at}` } });
  const port = await app.port();
  const { pid } = app;
  const kept = await Kept.open(port, IDLE);
  const asking = new Asking(port, 4);
  const probe = new Probe(port);
  try {
    let reason = '';
    process.kill(pid, 'SIGUSR2');
    if (death.who === 'S') {
      ({ reason } = await app.line((line) => line['upgrade'] === 'failed') as unknown as { reason: string });
      await asking.answered(20); // With the workers of P again.
    } else if (heirOf(death) === 'nobody') {
      await app.ended();
    } else {
      await app.firstEnded;
      await asking.answered(20);
    }
    const refused = heirOf(death) === 'nobody' ? [] : probe.failures;
    const { requests, failed } = await asking.stop();
    await probe.stop();
    const { closed } = kept;
    const alive = app.alive();
    return { serves: alive.length === 0 ? 'nobody' : alive.length === 1 && alive[0] === pid ? 'P' : 'S', requests, failed: heirOf(death) === 'nobody' ? [] : failed, refused, closed, reason };
  } finally {
    await asking.stop();
    await probe.stop();
    kept.end();
    for (const one of app.alive()) process.kill(one, 'SIGTERM');
    await app.ended();
  }
}
