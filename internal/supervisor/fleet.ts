/**
 * The fleet: what should be (how many, which release, or nothing at all), what is, and the steps from
 * one to the other. A command only changes what should be; `#step` runs after each event and does what
 * is still missing. So commands may come in any order and at any moment, and the last one holds.
 *
 *   scale, reload, stop ──► desired ─┐
 *   ready, lost, retiring, ended ────┼──► #step: places too few, too many, empty, outdated, retiring
 *   a timer of the guard's ──────────┘       └──► start a member, tell one to leave, give a place up
 *
 * Owns     the places and who is in them, who is on the way out, what commands wait for
 * Used by  supervisor.ts; tests give it members and a clock of their own
 * Uses     restarts.ts (may it be restarted, when), rollout.ts (which release), tasks.ts (promises)
 * Never    touches a process: members do
 * Keeps    1. a place has at most one worker and one successor: one death, one replacement
 *          2. a worker that serves is told to leave only when its successor has been ready for
 *             `minReadyMs`, or it is one too many, or everything stops
 *          3. restarts are as many as the guard allows; a start that replaces nobody dead is none
 */
import type { GuardRule } from './guard';
import { Places, serves, settle, type Place, type Track } from './places';
import { Restarts } from './restarts';
import { Rollout, type ReloadState } from './rollout';
import type { Clock, Fate, Generation, Member, MemberEvents, Report, WorkerState } from './states';
import { Tasks } from './tasks';

/** The numbers that decide. */
export interface FleetOptions {
  readonly minReadyMs: number;
  readonly canaryMs: number;
  readonly maxSurge: number;
  readonly onGiveUp: 'stop' | 'go on';
  readonly restarts: GuardRule;
}

/** What the fleet needs from outside. */
export interface FleetPorts {
  readonly clock: Clock;
  readonly random: () => number;
  /** The script's path as of now. Throws if there is none. */
  resolve(): string;
  /** Throws if no process could be started. */
  start(generation: Generation, place: number, events: MemberEvents, onTrial: boolean): Member;
  /** A place without a worker backs off, or is given up. */
  vacant(place: Place, state: WorkerState): void;
  /** Nothing is wanted, and nobody is left. */
  stopped(): void;
  reloading(state: ReloadState, generation: Generation, reason: string): void;
}

/** Keeps as many members of the present release alive as there should be. */
export class Fleet implements MemberEvents {
  readonly places = new Places();
  readonly rollout: Rollout;
  readonly #options: FleetOptions;
  readonly #ports: FleetPorts;
  readonly restarts: Restarts;
  readonly #tasks = new Tasks();
  #count = 0;
  #stepping: 'no' | 'yes' | 'again' = 'no';

  constructor(options: FleetOptions, ports: FleetPorts) {
    this.#options = options;
    this.#ports = ports;
    this.restarts = new Restarts(options.restarts, {
      clock: ports.clock, random: ports.random, vacant: (...told) => ports.vacant(...told), due: () => this.#step(),
    });
    this.rollout = new Rollout(() => ports.resolve(), (...told) => ports.reloading(...told));
  }

  // ── what should be ─────────────────────────────────────────────────────────────────────────────

  /** How many there should be; 0 when stopped. */
  get desired(): number {
    return this.#count;
  }

  /** Wants `count` workers, also after a stop. Throws if the script is not there. */
  scale(count: number, command: 'start' | 'scale' = 'scale'): Promise<Report> {
    if (this.#count === 0) this.rollout.renew();
    for (const task of this.#tasks.open('start', 'scale', 'stop')) task.end('superseded');
    this.#count = count;
    for (const place of this.places.all) this.restarts.forgive(place);
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
    const proof = this.#proofMs(track);
    if (proof > 0) track.unwatch = this.#ports.clock.after(proof, () => this.#step());
    this.#step();
  }

  retiring(member: Member, reason: string, failed: boolean): void {
    const [place, track] = this.places.find(member);
    if (place === null) return;
    if (place.successor === track) {
      if (!failed) return;
      // It has not even begun. Whom it should replace goes on.
      this.#lose(place, track, reason);
      member.leave(reason, false);
    } else if (track.retiring === null || (failed && !track.retiring.failed)) {
      track.retiring = { reason, failed };
      if (failed && (place.successor === null || this.rollout.isCanary(place.successor))) this.#owe(place, track);
    }
    this.#step();
  }

  lost(member: Member, reason: string): void {
    const [place, track] = this.places.find(member);
    if (place === null) return;
    this.#lose(place, track, reason);
    this.#step();
  }

  ended(member: Member): void {
    const [lost, track] = this.places.find(member);
    if (lost !== null) this.#lose(lost, track, member.state.is === 'gone' ? member.state.reason : 'ended');
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
    do {
      this.#stepping = 'yes';
      this.#fit();
      this.#sendCanary();
      // A canary alone has to serve, proven or not.
      if (!this.places.all.some(serves)) this.rollout.canary?.member.serve();
      for (const place of [...this.places.all]) this.#fill(place);
      this.#finish();
    } while ((this.#stepping as string) === 'again');
    this.#stepping = 'no';
  }

  /** As many places as there should be. */
  #fit(): void {
    this.places.grow(this.#count);
    for (let place = this.places.shrink(this.#count); place !== undefined; place = this.places.shrink(this.#count)) {
      this.restarts.remove(place);
      const reason = this.#count === 0 ? 'stopped' : 'scaled down';
      for (const track of [place.current, place.successor]) this.#dismiss(place, track, reason);
    }
  }

  /** The first of a new release: where nobody serves, or beside one who does. */
  #sendCanary(): void {
    const target = this.rollout.wantsCanary;
    const free = this.places.all.filter(({ successor }) => successor === null);
    const place = free.find(({ current }) => current === null) ?? free[0];
    if (target === null || place === undefined) return;
    try {
      const track = this.#start(place, target, this.places.all.some(serves));
      place.successor = track;
      this.rollout.sent(track);
    } catch (error) {
      this.rollout.abort(`the canary could not be started: ${String(error)}`);
      this.#stepping = 'again';
    }
  }

  /** One place: its successor takes over, or one is started, or a new worker where there is none. */
  #fill(place: Place): void {
    if (place.successor !== null && this.#isProven(place.successor)) this.#takeOver(place, place.successor);
    if (place.current === null && place.successor !== null && !this.rollout.isCanary(place.successor)) {
      place.current = place.successor;
      place.successor = null;
    }
    const missing = place.current === null ? 'current' : place.successor === null && this.#isDue(place.current) ? 'successor' : null;
    if (missing === null || !this.#mayStart(place)) return;
    try {
      place[missing] = this.#start(place, this.rollout.stable);
    } catch {
      // As if it had died at once; why, the next ones will say at length.
      this.#owe(place, null);
      this.#stepping = 'again';
    }
  }

  #takeOver(place: Place, successor: Track): void {
    if (this.rollout.isCanary(successor)) {
      this.rollout.roll();
      successor.member.serve();
      for (const other of this.places.all) this.restarts.forgive(other);
    }
    const old = place.current;
    place.current = successor;
    place.successor = null;
    settle(place);
    this.#dismiss(place, old, old?.retiring?.reason ?? 'reload');
  }

  /** Should it be replaced, and now? Whoever failed does not wait for others. */
  #isDue(track: Track): boolean {
    if (track.retiring?.failed) return true;
    const surging = this.places.all.filter(({ successor }) => successor !== null).length;
    return (track.retiring !== null || this.rollout.isOutdated(track)) && surging < this.#options.maxSurge;
  }

  /** `onTrial`: others serve, so this one need not before it is proven. */
  #start(place: Place, generation: Generation, onTrial = false): Track {
    const startedAt = this.#now();
    const member = this.#ports.start(generation, place.number, this, onTrial);
    return { member, startedAt, readyAt: null, unwatch: () => undefined, retiring: null };
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
    const [stopping] = this.#tasks.open('stop');
    if (all.length === 0 && out.length === 0 && stopping !== undefined) {
      stopping.end('done');
      this.#ports.stopped();
    }
  }

  // ── losses ─────────────────────────────────────────────────────────────────────────────────────

  #lose(place: Place, track: Track, reason: string): void {
    const canary = this.rollout.isCanary(track);
    this.#takeOut(place, track, reason, true);
    if (canary) return this.rollout.abort(`the canary, worker ${track.member.id}, did not make it: ${reason}`);
    // A successor that is on its way steps in, and is the one replacement.
    const replaced = place.successor !== null && !this.rollout.isCanary(place.successor);
    if (place.debt.is === 'none' && !replaced) this.#owe(place, track);
  }

  /** The next start in this place is a restart. */
  #owe(place: Place, track: Track | null): void {
    this.restarts.owe(place, track?.readyAt == null ? 0 : this.#now() - track.readyAt);
  }

  /** Asks the guard, if it has a say. */
  #mayStart(place: Place): boolean {
    const verdict = this.restarts.ask(place);
    if (verdict === 'give up') this.#giveUp(place);
    return verdict === 'start';
  }

  #giveUp(place: Place): void {
    const { max, withinMs } = this.#options.restarts;
    const reason = `place ${place.number} is given up: it would take more than ${max} restarts in ${withinMs} ms`;
    if (this.rollout.is === 'rolling') this.rollout.abort(reason);
    const { current } = place;
    if (current !== null && !current.retiring?.failed) {
      // Only its replacement is given up: it serves, and goes on.
      current.retiring = null;
      return settle(place);
    }
    // One that failed must go also when nobody may replace it.
    this.#dismiss(place, current, current?.retiring?.reason ?? '');
    for (const task of this.#tasks.open('start', 'scale')) task.fail('ERR_GIVEN_UP', reason);
    this.#ports.vacant(place, { is: 'given up', since: this.#now(), exits: place.exits, stderr: '' });
    if (this.#options.onGiveUp === 'stop') void this.stop();
  }

  // ── members ────────────────────────────────────────────────────────────────────────────────────

  #proofMs(track: Track): number {
    const { minReadyMs, canaryMs } = this.#options;
    return this.rollout.isCanary(track) ? Math.max(canaryMs, minReadyMs) : minReadyMs;
  }

  /** Has it been ready for long enough to trust it? */
  #isProven(track: Track): boolean {
    return track.readyAt !== null && this.#now() - track.readyAt >= this.#proofMs(track);
  }

  /** Tells a worker to leave. */
  #dismiss(place: Place, track: Track | null, reason: string): void {
    if (track === null) return;
    this.#takeOut(place, track, reason, false);
    track.member.leave(reason, false);
  }

  #takeOut(place: Place, track: Track, reason: string, died: boolean): void {
    if (!died && this.rollout.isCanary(track)) this.rollout.sent(null);
    this.places.takeOut({ place, track, at: this.#now(), died, reason });
  }

  #note({ id, pid, generation, state }: Member, { number: place }: Place, became: Fate['became'], reason: string, ms: number): void {
    const { code, signal } = state.is === 'gone' ? state : { code: null, signal: null };
    this.#tasks.note({ worker: id, pid, place, generation: generation.number, became, reason, code, signal, ms: Math.round(ms) });
  }

  #now(): number {
    return this.#ports.clock.now();
  }
}
