/**
 * The crew: who is in which place, who is started, who takes over from whom, who is told to leave.
 *
 * Owns     the places and who is in them, and what they owe the guard
 * Used by  fleet.ts, which calls `fit`, `sendCanary` and `fill` in each step
 * Uses     restart_policy.ts (may it be restarted, when), rollout.ts (which release)
 * Never    touches a process: members do
 * Keeps    1. a place has at most one worker and one successor: one death, one replacement
 *          2. a worker that serves is told to leave only when its successor has been ready for
 *             `minReadyMs`, or it is one too many, or everything stops, or it failed and nobody may
 *             replace it
 *          3. restarts are as many as the guard allows. The start after a death is one, and the start after
 *             a worker that is too old; one for a reload or a command is none
 */
import { Places, serves, settle, type Place, type Track } from './slots';
import { Restarts, type RestartRule } from './restart_policy';
import type { ReloadState, Rollout } from './rollout';
import type { Release } from './release';
import type { Clock, Generation, GivenUp, Member, MemberEvents, WorkerState } from './states';

/** The numbers that decide. */
export interface FleetOptions {
  readonly minReadyMs: number;
  readonly canaryMs: number;
  readonly maxSurge: number;
  readonly onGiveUp: 'stop' | 'go on';
  readonly restarts: RestartRule;
}

/** What the fleet needs from outside. */
export interface FleetPorts {
  readonly clock: Clock;
  readonly random: () => number;
  /** The script and the working directory as of now. Throws if there are none. */
  resolve(): Release;
  /** Throws if no process could be started. */
  start(generation: Generation, place: number, events: MemberEvents, onTrial: boolean): Member;
  /** A place without a worker backs off, or is given up. */
  vacant(place: Place, state: WorkerState): void;
  /** A place was given up, or only recycling in it: its worker is too old, and goes on. */
  gaveUp(place: Place, what: GivenUp, reason: string): void;
  /** Every place is given up, and nobody is left. */
  exhausted(): void;
  /** Nothing is wanted, and nobody is left. */
  stopped(): void;
  reloading(state: ReloadState, generation: Generation, reason: string): void;
}

/** What the crew tells its fleet. */
export interface CrewEvents extends MemberEvents {
  /** There is more to do. */
  step(): void;
  /** A place was given up. */
  gaveUp(reason: string): void;
}

/** The members of one fleet. */
export class Crew {
  readonly places = new Places();
  readonly restarts: Restarts;
  readonly #options: FleetOptions;
  readonly #ports: FleetPorts;
  readonly #rollout: Rollout;
  readonly #fleet: CrewEvents;

  constructor(options: FleetOptions, ports: FleetPorts, rollout: Rollout, fleet: CrewEvents) {
    this.#options = options;
    this.#ports = ports;
    this.#rollout = rollout;
    this.#fleet = fleet;
    this.restarts = new Restarts(options.restarts, {
      clock: ports.clock, random: ports.random, vacant: (...told) => ports.vacant(...told), due: () => fleet.step(),
    });
  }

  // ── steps ──────────────────────────────────────────────────────────────────────────────────────

  /** As many places as there should be. */
  fit(count: number): void {
    this.places.grow(count);
    for (let place = this.places.shrink(count); place !== undefined; place = this.places.shrink(count)) {
      this.restarts.remove(place);
      const reason = count === 0 ? 'stopped' : 'scaled down';
      for (const track of [place.current, place.successor]) this.#dismiss(place, track, reason);
    }
  }

  /** The first of a new release: where nobody serves, or beside one who does. */
  sendCanary(): void {
    const target = this.#rollout.wantsCanary;
    const free = this.places.all.filter(({ successor }) => successor === null);
    const place = free.find(({ current }) => current === null) ?? free[0];
    // One that is alone has to serve, proven or not.
    if (!this.places.all.some(serves)) this.#rollout.canary?.member.serve();
    if (target === null || place === undefined) return;
    try {
      const track = this.#start(place, target, this.places.all.some(serves));
      place.successor = track;
      this.#rollout.sent(track);
    } catch (error) {
      this.#rollout.abort(`the canary could not be started: ${String(error)}`);
      this.#fleet.step();
    }
  }

  /** One place: its successor takes over, or one is started, or a new worker where there is none. */
  fill(place: Place): void {
    if (place.successor !== null && this.#isProven(place.successor)) this.#takeOver(place, place.successor);
    if (place.current === null && place.successor !== null && !this.#rollout.isCanary(place.successor)) {
      place.current = place.successor;
      place.successor = null;
    }
    const missing = place.current === null ? 'current' : place.successor === null && this.#isDue(place, place.current) ? 'successor' : null;
    if (missing === null || !this.#mayStart(place)) return;
    try {
      place[missing] = this.#start(place, this.#rollout.stable);
    } catch {
      // As if it had died at once; why, the next ones will say at length.
      this.owe(place, null);
      this.#fleet.step();
    }
  }

  #takeOver(place: Place, successor: Track): void {
    if (this.#rollout.isCanary(successor)) {
      this.#rollout.roll();
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
  #isDue(place: Place, track: Track): boolean {
    if (track.retiring?.failed) return true;
    const surging = this.places.all.filter(({ successor }) => successor !== null).length;
    const tooOld = track.retiring !== null && !this.restarts.isHeld(place);
    return (tooOld || this.#rollout.isOutdated(track)) && surging < this.#options.maxSurge;
  }

  /** `onTrial`: others serve, so this one need not before it is proven. */
  #start(place: Place, generation: Generation, onTrial = false): Track {
    const startedAt = this.#now();
    const member = this.#ports.start(generation, place.number, this.#fleet, onTrial);
    return { member, startedAt, readyAt: null, unwatch: () => undefined, retiring: null };
  }

  // ── losses ─────────────────────────────────────────────────────────────────────────────────────

  /** `free`: nobody is to blame, and the next start costs nothing. */
  lose(place: Place, track: Track, reason: string, free = false): void {
    const canary = this.#rollout.isCanary(track);
    this.#takeOut(place, track, reason, true);
    if (canary) return this.#rollout.abort(`the canary, worker ${track.member.id}, did not make it: ${reason}`);
    // A successor that is on its way steps in, and is the one replacement.
    const replaced = place.successor !== null && !this.#rollout.isCanary(place.successor);
    if (place.debt.is === 'none' && !replaced && !free) this.owe(place, track);
  }

  /** A worker is too old, or goes for a reason of its own: its successor is a restart, unless a reload replaces it anyway. */
  oweSuccessor(place: Place, track: Track, failed: boolean): void {
    if (place.successor !== null && !this.#rollout.isCanary(place.successor)) return;
    if (failed) this.owe(place, track);
    else if (place.debt.is === 'none' && !this.restarts.isHeld(place) && !this.#rollout.isOutdated(track)) this.restarts.oweRecycling(place, this.#servedMs(track));
  }

  /** The next start in this place is a restart. */
  owe(place: Place, track: Track | null): void {
    this.restarts.owe(place, this.#servedMs(track));
  }

  #servedMs(track: Track | null): number {
    return track?.readyAt == null ? 0 : this.#now() - track.readyAt;
  }

  /** Asks the guard, if it has a say. */
  #mayStart(place: Place): boolean {
    const answer = this.restarts.ask(place);
    if (answer.is === 'give up') this.#giveUp(place, answer.reason);
    return answer.is === 'start';
  }

  #giveUp(place: Place, why: string): void {
    const reason = `place ${place.number} is given up: ${why}`;
    if (this.#rollout.is === 'rolling') this.#rollout.abort(reason);
    const { current } = place;
    if (current !== null && !current.retiring?.failed) {
      // Only its replacement is given up: it serves, and goes on.
      if (current.retiring === null) return settle(place);
      this.restarts.putOff(place);
      return this.#ports.gaveUp(place, 'recycling', `worker ${current.member.id} ${current.retiring.reason}, and is not replaced: ${why}`);
    }
    // One that failed must go also when nobody may replace it.
    this.#dismiss(place, current, current?.retiring?.reason ?? '');
    const hope = this.places.all.some((other) => other !== place && other.debt.is !== 'given up');
    this.restarts.giveUp(place, hope && this.#options.onGiveUp === 'go on');
    const state = this.restarts.vacancy(place);
    if (state !== null) this.#ports.vacant(place, state);
    this.#ports.gaveUp(place, 'place', reason);
    this.#fleet.gaveUp(reason);
  }

  // ── trust and farewell ─────────────────────────────────────────────────────────────────────────

  /** A member is ready: how long it must stay so, which is looked at again then. */
  watch(track: Track): void {
    const proof = this.#proofMs(track);
    if (proof > 0) track.unwatch = this.#ports.clock.after(proof, () => this.#fleet.step());
  }

  #proofMs(track: Track): number {
    const { minReadyMs, canaryMs } = this.#options;
    return this.#rollout.isCanary(track) ? Math.max(canaryMs, minReadyMs) : minReadyMs;
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
    if (!died && this.#rollout.isCanary(track)) this.#rollout.sent(null);
    this.places.takeOut({ place, track, at: this.#now(), died, reason });
  }

  #now(): number {
    return this.#ports.clock.now();
  }
}
