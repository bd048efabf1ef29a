/**
 * The fleet: what should be (how many, which release, or nothing at all), what is, and the steps from
 * one to the other. A command only changes what should be; `#step` runs after each event and does what
 * is still missing. So commands may come in any order and at any moment, and the last one holds.
 *
 *   scale, reload, stop ──► desired ─┐
 *   ready, lost, retiring, ended ────┼──► #step: places too few, too many, empty, outdated, retiring
 *   a timer of the guard's ──────────┘       └──► start a member, tell one to leave, give a place up
 *
 * Owns     the wish, what commands wait for, and that one step runs at a time
 * Used by  supervisor.ts; tests give it members and a clock of their own
 * Uses     crew.ts (the steps themselves), rollout.ts (which release), tasks.ts (promises)
 * Keeps    a promise is settled when what it was about is so, or cannot be any more
 */
import { Crew, type FleetOptions, type FleetPorts } from './crew';
import { serves, type Place, type Places, type Track } from './slots';
import { Rollout } from './rollout';
import type { Fate, Member, MemberEvents, Report, WorkerState } from './states';
import { Tasks } from './tasks';

/** Keeps as many members of the present release alive as there should be. */
export class Fleet implements MemberEvents {
  readonly rollout: Rollout;
  readonly #options: FleetOptions;
  readonly #ports: FleetPorts;
  readonly #crew: Crew;
  readonly #tasks = new Tasks();
  #count = 0;
  #stepping: 'no' | 'yes' | 'again' = 'no';
  #exhausted = false;

  constructor(options: FleetOptions, ports: FleetPorts) {
    this.#options = options;
    this.#ports = ports;
    this.rollout = new Rollout(() => ports.resolve(), (...told) => ports.reloading(...told));
    this.#crew = new Crew(options, ports, this.rollout, {
      ready: (...told) => this.ready(...told),
      retiring: (...told) => this.retiring(...told),
      lost: (...told) => this.lost(...told),
      ended: (...told) => this.ended(...told),
      step: () => this.#step(),
      gaveUp: (reason) => this.#gaveUp(reason),
    });
  }

  // ── what should be ─────────────────────────────────────────────────────────────────────────────

  get places(): Places {
    return this.#crew.places;
  }

  /** How it stands with a place without a worker; null if one is about to be started. */
  vacancy(place: Place): WorkerState | null {
    return this.#crew.restarts.vacancy(place);
  }

  /** How many there should be; 0 when stopped. */
  get desired(): number {
    return this.#count;
  }

  /**
   * Wants `count` workers, also after a stop. Throws if the script is not there, and nothing has changed then;
   * else `begins` is called before all that follows.
   */
  scale(count: number, command: 'start' | 'scale' = 'scale', begins = (): void => undefined): Promise<Report> {
    if (this.#count === 0) this.rollout.renew();
    begins();
    for (const task of this.#tasks.open('start', 'scale', 'stop')) task.end('superseded');
    this.#count = count;
    for (const place of this.places.all) this.#crew.restarts.forgive(place);
    const task = this.#tasks.begin(command);
    this.#step();
    return task.promise;
  }

  reload(): Promise<Report> {
    const begin = () => this.#tasks.begin('reload');
    const task = this.rollout.behind(begin) ?? begin();
    if (this.rollout.is === 'idle') this.rollout.begin(task);
    this.#step();
    return task.promise;
  }

  /** Wants none. */
  stop(): Promise<Report> {
    for (const task of this.#tasks.open('start', 'scale')) task.end('superseded');
    this.rollout.supersede();
    this.#count = 0;
    const task = this.#tasks.open('stop')[0] ?? this.#tasks.begin('stop');
    this.#step();
    return task.promise;
  }

  // ── what members tell ──────────────────────────────────────────────────────────────────────────

  ready(member: Member): void {
    const [place, track] = this.places.find(member);
    if (place === null) return;
    track.readyAt = this.#now();
    this.#note(member, place, 'ready', '', track.readyAt - track.startedAt);
    this.#crew.watch(track);
    this.#step();
  }

  retiring(member: Member, reason: string, failed: boolean): void {
    const [place, track] = this.places.find(member);
    if (place === null) return;
    if (place.successor === track) {
      if (!failed) return;
      // It has not even begun. Whom it should replace goes on.
      this.#crew.lose(place, track, reason);
      member.leave(reason, false);
    } else if (track.retiring === null || (failed && !track.retiring.failed)) {
      track.retiring = { reason, failed };
      this.#crew.oweSuccessor(place, track, failed);
    }
    this.#step();
  }

  lost(member: Member, reason: string): void {
    const [place, track] = this.places.find(member);
    if (place === null) return;
    this.#crew.lose(place, track, reason);
    this.#step();
  }

  ended(member: Member): void {
    const [lost, track] = this.places.find(member);
    if (lost !== null) {
      const { reason, signal } = member.state.is === 'gone' ? member.state : { reason: 'ended', signal: null };
      // A reload that was sent to the whole group meets a worker that does not know yet to ignore it (worker/group_signals.ts).
      this.#crew.lose(lost, track, reason, signal === 'SIGHUP' && track.readyAt === null);
    }
    const out = this.places.forget(member);
    if (out === undefined) return;
    const since = out.died ? out.track.readyAt ?? out.track.startedAt : out.at;
    this.#note(member, out.place, out.died ? 'died' : 'left', out.reason, this.#now() - since);
    this.#step();
  }

  // ── steps ──────────────────────────────────────────────────────────────────────────────────────

  /** Does what is missing. Listeners of what it does may call commands: those are seen to afterwards. */
  #step(): void {
    if (this.#stepping !== 'no') {
      this.#stepping = 'again';
      return;
    }
    try {
      do {
        this.#stepping = 'yes';
        this.#crew.fit(this.#count);
        this.#crew.sendCanary();
        for (const place of [...this.places.all]) this.#crew.fill(place);
        this.#finish();
      } while ((this.#stepping as string) === 'again');
    } finally {
      // A listener of the program's may throw; the next event finds everything as it is.
      this.#stepping = 'no';
    }
  }

  /** Settles the promises of what has been reached. */
  #finish(): void {
    const { all, out } = this.places;
    const serving = all.every(serves);
    const whole = serving && all.every(({ current, successor }) => successor === null && !this.rollout.isOutdated(current as Track));
    if (this.rollout.is === 'rolling' && whole && !this.places.hasOlder(this.rollout.stable)) {
      this.rollout.done();
      this.#stepping = 'again';
    } else if (this.rollout.is === 'canary' && this.#count === 0) {
      // Without workers there is nobody to replace; the next ones are of the new release anyway.
      this.rollout.roll();
      this.#stepping = 'again';
    }
    if (serving && this.#count > 0 && !out.some(({ reason }) => reason === 'scaled down')) {
      for (const task of this.#tasks.open('start', 'scale')) task.end('done');
    }
    const exhausted = all.length > 0 && out.length === 0
      && all.every(({ debt, current, successor }) => debt.is === 'given up' && current === null && successor === null);
    if (exhausted && !this.#exhausted) {
      for (const place of all) this.#crew.restarts.abandon(place);
      this.#ports.exhausted();
    }
    this.#exhausted = exhausted;
    const [stopping] = this.#tasks.open('stop');
    if (all.length === 0 && out.length === 0 && stopping !== undefined) {
      stopping.end('done');
      this.#ports.stopped();
    }
  }

  #gaveUp(reason: string): void {
    for (const task of this.#tasks.open('start', 'scale')) task.fail('ERR_GIVEN_UP', reason);
    if (this.#options.onGiveUp === 'stop') void this.stop();
  }

  #note({ id, pid, generation, state }: Member, { number: place }: Place, became: Fate['became'], reason: string, ms: number): void {
    const { code, signal } = state.is === 'gone' ? state : { code: null, signal: null };
    this.#tasks.note({ worker: id, pid, place, generation: generation.number, became, reason, code, signal, ms: Math.round(ms) });
  }

  #now(): number {
    return this.#ports.clock.now();
  }
}
