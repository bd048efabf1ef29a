/** A server and its clients in one process, without channels, and with a clock that only the test moves. */
import { SharedState } from '../../internal/shared_state/client/api';
import { StateClient } from '../../internal/shared_state/client/client';
import type { MachineClock } from '../../internal/clock';
import { readClientMessage } from '../../internal/shared_state/guards';
import { STATE, type Limits } from '../../internal/shared_state/protocol';
import { StateServer } from '../../internal/shared_state/server/server';
import type { Session } from '../../internal/shared_state/server/session';
import { mergeLimits } from '../../internal/shared_state/values';

/** A clock that only the test moves. `soon` is the next turn of the real event loop. */
export class VirtualClock implements MachineClock {
  #now = 1000;
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>();

  now(): number {
    return this.#now;
  }

  at(time: number, callback: () => void): () => void {
    const timer = { at: time, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  /** The number of timers that are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Moves the time. The timers that become due fire in order, each at its own time, also those that are set meanwhile. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
      await turns();
    }
    this.#now = end;
    await turns();
  }
}

/** Lets all messages arrive: a message takes a microtask, a batch of events a turn. */
export async function turns(count = 4): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** One simulated process. */
export interface Process {
  readonly state: SharedState;
  readonly client: StateClient;
  readonly session: Session;
  /** Ends its channel, as if the process had died. */
  die(): void;
  /** Holds back all messages in both directions. Returns a function that delivers them. */
  hold(): () => void;
  /**
   * Blocks its event loop: its timers do not fire and messages to it wait, but messages that it has sent arrive.
   * Returns a function that lets the loop run again, with its timers or its messages first.
   */
  block(): (first: 'timers' | 'messages') => void;
  /** The bytes of the answers that were sent to it. */
  answered(): number;
}

/** One server with its processes. Their ids count from 1. */
export class World {
  readonly clock = new VirtualClock();
  readonly server: StateServer;
  #processes = 0;

  constructor(limits?: Partial<Limits>, cutOff?: (session: Session) => void) {
    this.server = new StateServer(this.clock, mergeLimits(limits), 0, cutOff);
  }

  /** Adds a process. */
  join(): Process {
    const id = ++this.#processes;
    let held: (() => void)[] | null = null;
    let dead = false;
    let bytes = 0;
    let blocked: { timers: (() => void)[]; messages: (() => void)[] } | null = null;
    const own: MachineClock = {
      now: () => this.clock.now(),
      soon: (callback) => this.clock.soon(callback),
      at: (time, callback) => {
        let cancelled = false;
        const cancel = this.clock.at(time, () => {
          const late = (): void => { if (!cancelled) callback(); };
          if (blocked !== null) blocked.timers.push(late);
          else callback();
        });
        return () => {
          cancelled = true;
          cancel();
        };
      },
    };
    const pass = (step: () => void): void => {
      if (held !== null) held.push(step);
      else queueMicrotask(() => { if (!dead) step(); });
    };
    const copy = (message: object): unknown => JSON.parse(JSON.stringify({ cmd: STATE, ...message }));
    const session = this.server.connect(id, (message, written) => {
      const sent = copy(message);
      if (message.act === 'answers') bytes += JSON.stringify(sent).length;
      pass(() => {
        const read = (): void => {
          written();
          client.receive(sent);
        };
        if (blocked !== null) blocked.messages.push(read);
        else read();
      });
      return false;
    });
    const client = new StateClient(own, (message) => {
      const sent = readClientMessage(copy(message));
      if (sent === null) throw new Error(`the server would not understand ${JSON.stringify(message)}`);
      pass(() => this.server.receive(session, sent));
    }, { hold: false, timeoutMs: 5000 });
    client.hello();
    return {
      state: new SharedState(client, () => client.close()),
      client,
      session,
      die: () => {
        dead = true;
        this.server.end(session);
        client.end('ERR_SHARED_STATE_DISCONNECTED', 'The channel to the primary has ended', false);
      },
      answered: () => bytes,
      block: () => {
        const waiting: NonNullable<typeof blocked> = blocked = { timers: [], messages: [] };
        return (first) => {
          blocked = null;
          const { timers, messages } = waiting;
          for (const step of first === 'timers' ? [...timers, ...messages] : [...messages, ...timers]) queueMicrotask(step);
        };
      },
      hold: () => {
        const waiting: (() => void)[] = held = [];
        return () => {
          held = null;
          for (const step of waiting) queueMicrotask(step);
        };
      },
    };
  }
}
