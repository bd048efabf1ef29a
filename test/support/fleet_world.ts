/** A fleet without processes: fake workers, a clock that the test moves, random numbers from a seed. */
import { expect } from 'vitest';
import type { FleetOptions } from '../../internal/supervisor/convergence';
import { Fleet } from '../../internal/supervisor/fleet';
import type { Recipe, Terms } from '../../internal/supervisor/recipe';
import type { EpochClock } from '../../internal/clock';
import type { Exit, Generation, Member, MemberEvents, ProcessState, Report, WorkerState } from '../../internal/supervisor/states';
import type { SupervisorError } from '../../internal/supervisor/tasks';

/** A clock that stands still until the test calls `pass`. */
export class TestClock implements EpochClock {
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

  /** Moves the clock by `ms` milliseconds, and calls the timers that become due, in order. */
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

  /** How many timers wait. */
  get waiting(): number {
    return this.#calls.length;
  }
}

/** How a fake worker behaves after its start; times in milliseconds. */
export type Nature =
  | { readonly does: 'serve'; readonly readyAfter: number }
  | { readonly does: 'die'; readonly after: number; readonly readyAfter?: number }
  | { readonly does: 'never ready'; readonly deadline: number };

/** A fake worker. */
export class TestMember implements Member {
  state: ProcessState = { is: 'starting', since: 0 };
  readonly listens: ReadonlySet<string> = new Set();
  readonly figures = null;
  readonly moved = null;
  readonly #timers: (() => void)[] = [];

  constructor(
    readonly world: World, readonly id: number, readonly slot: number, readonly generation: Generation,
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
    // Fake workers take no connections.
  }

  kill(): void {
    this.die({ code: null, signal: 'SIGKILL' });
  }

  /** Ends its fake process. */
  die(exit: Exit): void {
    if (!this.alive) return;
    for (const cancel of this.#timers) cancel();
    this.state = { is: 'gone', since: this.world.clock.now(), reason: 'died', ...exit };
    this.events.ended(this);
  }
}

/** One fleet, and everything that it reported. */
export class World {
  readonly clock = new TestClock();
  readonly members: TestMember[] = [];
  readonly starts: { readonly at: number; readonly slot: number; readonly generation: number }[] = [];
  readonly vacancies: WorkerState[] = [];
  readonly giveups: { readonly at: number; readonly slot: number; readonly what: string; readonly reason: string }[] = [];
  /** How often the fleet called `exhausted`. */
  exhausted = 0;
  /** What `exhausted` was told last: has each worker ended by a code of stopExitCodes? */
  isDone = false;
  readonly reloads: string[] = [];
  /** How many workers were alive each time the fleet called `stopped`. */
  readonly stops: number[] = [];
  readonly fleet: Fleet;
  /** How long a worker takes to leave, in milliseconds. */
  leaveMs = 50;
  /** The path of the script of the current release, or the error of looking for it. */
  exec: string | Error = '/app/1';
  /** The scripts that are there no more when a rollback looks for them. */
  readonly deleted = new Set<string>();
  /** How a worker of this release behaves. */
  nature: (exec: string, id: number) => Nature = () => ({ does: 'serve', readyAfter: 10 });
  /** Called after each event of a worker. */
  check: () => void = () => undefined;

  constructor(options: Partial<FleetOptions> = {}, random: () => number = () => 0.5) {
    const restarts = { max: 10, maxAll: 10, retryAfterMs: 60_000, withinMs: 60_000, healthyMs: 5_000, minDelayMs: 100, maxDelayMs: 10_000, jitter: 0.2 };
    this.fleet = new Fleet({ stopExitCodes: [], minReadyMs: 0, canaryMs: 2_000, maxSurge: 1, onGiveUp: 'go on', restarts, ...options }, {
      clock: this.clock,
      random,
      recipe: this.#recipe({ args: [], execArgv: [], env: {} }),
      start: (generation, slot, events, _onTrial) => {
        this.starts.push({ at: this.clock.now(), slot, generation: generation.number });
        const watched: MemberEvents = {
          ready: (member) => { events.ready(member); this.check(); },
          retiring: (...told) => { events.retiring(...told); this.check(); },
          lost: (...told) => { events.lost(...told); this.check(); },
          ended: (member) => { events.ended(member); this.check(); },
        };
        const member = new TestMember(this, this.members.length + 1, slot, generation, watched, this.nature(generation.exec, this.members.length + 1));
        this.members.push(member);
        return member;
      },
      vacant: (_slot, state) => this.vacancies.push(state),
      gaveUp: (slot, what, reason) => this.giveups.push({ at: this.clock.now(), slot: slot.number, what, reason }),
      exhausted: (isDone) => {
        this.exhausted++;
        this.isDone = isDone;
      },
      stopped: () => this.stops.push(this.alive.length),
      reloading: (state) => this.reloads.push(state),
    });
  }

  /** The script is `exec` as of the moment, until a reload names another one. */
  #recipe(terms: Terms & { readonly exec?: string }): Recipe {
    const self: Recipe = {
      release: () => {
        const exec = terms.exec ?? this.exec;
        if (exec instanceof Error) throw exec;
        return { cwd: '/app', ...terms, exec, recipe: self };
      },
      with: (change) => this.#recipe({ ...terms, ...change }),
      check: ({ exec }) => { if (this.deleted.has(exec)) throw new Error(`there is no script ${exec}`); },
    };
    return self;
  }

  get alive(): TestMember[] {
    return this.members.filter(({ alive }) => alive);
  }

  /** The workers that are ready. */
  get serving(): TestMember[] {
    return this.members.filter(({ state }) => state.is === 'ready');
  }

  /** The workers that are alive and that nobody told to leave. */
  get staying(): TestMember[] {
    const departing = this.fleet.slots.departing.map(({ occupant }) => occupant.member as TestMember);
    return this.alive.filter((member) => !departing.includes(member));
  }
}

export const serve = (readyAfter = 10): Nature => ({ does: 'serve', readyAfter });
/** The end of a worker that was killed. */
export const dead = { code: null, signal: 'SIGKILL' } as const;

/** A world whose `count` workers are ready. */
export function running(count: number, ...options: ConstructorParameters<typeof World>): World {
  const world = new World(...options);
  void world.fleet.scale(count, 'start');
  world.clock.pass(10);
  expect(world.serving).toHaveLength(count);
  return world;
}

/** The outcome or the error of a command, as `describe` writes it; 'pending' if it is not settled once all microtasks have run. */
export function outcome(promise: Promise<Report>, describe = ({ code }: SupervisorError): string => code): Promise<string> {
  const tick = new Promise<string>((resolve) => { setImmediate(resolve, 'pending'); });
  return Promise.race([promise.then(({ outcome: is }) => is, describe), tick]);
}
