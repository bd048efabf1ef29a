/** A fleet in a world of its own: a clock that tests turn, workers that are objects, chance from a seed. */
import type { FleetOptions } from '../../internal/supervisor/crew';
import { Fleet } from '../../internal/supervisor/fleet';
import type { Clock, Exit, Generation, Member, MemberEvents, ProcessState, WorkerState } from '../../internal/supervisor/states';

/** A clock that stands still until it is turned. */
export class TestClock implements Clock {
  #now = 0;
  #order = 0;
  #calls: { readonly at: number; readonly order: number; readonly call: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(ms: number, call: () => void): () => void {
    const entry = { at: this.#now + Math.max(0, ms), order: this.#order++, call };
    this.#calls.push(entry);
    return () => { this.#calls = this.#calls.filter((other) => other !== entry); };
  }

  /** Lets `ms` pass; what falls due is called in order. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#calls].sort((one, other) => one.at - other.at || one.order - other.order);
      if (next === undefined || next.at > end) break;
      this.#calls = this.#calls.filter((other) => other !== next);
      this.#now = next.at;
      next.call();
    }
    this.#now = end;
  }

  get waiting(): number {
    return this.#calls.length;
  }
}

/** What a worker of some release does after its start. */
export type Nature =
  | { readonly does: 'serve'; readonly readyAfter: number }
  | { readonly does: 'die'; readonly after: number; readonly readyAfter?: number }
  | { readonly does: 'never ready'; readonly deadline: number };

export class TestMember implements Member {
  state: ProcessState = { is: 'starting', since: 0 };
  tried = false;
  readonly listens: ReadonlySet<string> = new Set();
  readonly #timers: (() => void)[] = [];

  constructor(
    readonly world: World, readonly id: number, readonly place: number, readonly generation: Generation,
    readonly events: MemberEvents, nature: Nature,
  ) {
    const { clock } = world;
    if (nature.does === 'never ready') {
      this.#timers.push(clock.after(nature.deadline, () => {
        events.lost(this, 'not ready in time');
        this.leave('not ready in time');
      }));
      return;
    }
    const { readyAfter } = nature;
    if (readyAfter !== undefined) this.#timers.push(clock.after(readyAfter, () => {
      this.state = { is: 'ready', since: clock.now() };
      events.ready(this);
    }));
    if (nature.does === 'die') this.#timers.push(clock.after(nature.after, () => this.die({ code: 1, signal: null })));
  }

  get pid(): number {
    return 1000 + this.id;
  }

  get alive(): boolean {
    return this.state.is !== 'gone';
  }

  stderr(): Promise<string> {
    return Promise.resolve('');
  }

  leave(reason: string): void {
    if (!this.alive) return;
    this.state = { is: 'leaving', since: this.world.clock.now(), phase: 'told', reason };
    this.world.clock.after(this.world.leaveMs, () => this.die({ code: 0, signal: null }));
  }

  serve(): void {
    this.tried = true;
  }

  kill(): void {
    this.die({ code: null, signal: 'SIGKILL' });
  }

  /** Its process ends. */
  die(exit: Exit): void {
    if (!this.alive) return;
    for (const cancel of this.#timers) cancel();
    this.state = { is: 'gone', since: this.world.clock.now(), reason: 'died', ...exit };
    this.events.ended(this);
  }
}

export class World {
  readonly clock = new TestClock();
  readonly members: TestMember[] = [];
  readonly starts: { readonly at: number; readonly place: number; readonly generation: number }[] = [];
  readonly vacancies: WorkerState[] = [];
  readonly giveups: { readonly at: number; readonly place: number; readonly what: string; readonly reason: string }[] = [];
  /** How often nobody was left. */
  exhausted = 0;
  readonly reloads: string[] = [];
  /** How many were alive each time when all was said to be over. */
  readonly stops: number[] = [];
  readonly fleet: Fleet;
  leaveMs = 50;
  /** The script's path, or what comes of looking for it. */
  exec: string | Error = '/app/1';
  /** What becomes of a worker, by its release. */
  nature: (exec: string, id: number) => Nature = () => ({ does: 'serve', readyAfter: 10 });
  /** After each start, readiness and end. */
  check: () => void = () => undefined;

  constructor(options: Partial<FleetOptions> = {}, random: () => number = () => 0.5) {
    const restarts = { max: 10, maxAll: 10, retryAfterMs: 60_000, withinMs: 60_000, healthyMs: 5_000, minDelayMs: 100, maxDelayMs: 10_000, jitter: 0.2 };
    this.fleet = new Fleet({ minReadyMs: 0, canaryMs: 2_000, maxSurge: 1, onGiveUp: 'go on', restarts, ...options }, {
      clock: this.clock,
      random,
      resolve: () => {
        if (this.exec instanceof Error) throw this.exec;
        return { exec: this.exec, cwd: '/app' };
      },
      start: (generation, place, events, _onTrial) => {
        this.starts.push({ at: this.clock.now(), place, generation: generation.number });
        const watched: MemberEvents = {
          ready: (member) => { events.ready(member); this.check(); },
          retiring: (...told) => { events.retiring(...told); this.check(); },
          lost: (...told) => { events.lost(...told); this.check(); },
          ended: (member) => { events.ended(member); this.check(); },
        };
        const member = new TestMember(this, this.members.length + 1, place, generation, watched, this.nature(generation.exec, this.members.length + 1));
        this.members.push(member);
        return member;
      },
      vacant: (_place, state) => this.vacancies.push(state),
      gaveUp: (place, what, reason) => this.giveups.push({ at: this.clock.now(), place: place.number, what, reason }),
      exhausted: () => { this.exhausted++; },
      stopped: () => this.stops.push(this.alive.length),
      reloading: (state) => this.reloads.push(state),
    });
  }

  get alive(): TestMember[] {
    return this.members.filter(({ alive }) => alive);
  }

  /** Those that serve. */
  get serving(): TestMember[] {
    return this.members.filter(({ state }) => state.is === 'ready');
  }

  /** Those that nobody told to leave. */
  get staying(): TestMember[] {
    const out = this.fleet.places.out.map(({ track }) => track.member as TestMember);
    return this.alive.filter((member) => !out.includes(member));
  }
}
