/**
 * The places of a fleet, each with one worker that serves and for a while its successor as well; and
 * those workers that are in no place any more, because they leave or have died.
 *
 * Used by  fleet.ts, rollout.ts
 * Keeps    1. a worker is in one place, or on its way out
 *          2. places are numbered from 1 without a gap
 */
import type { Exit, Generation, Member } from './states';

/** What the fleet knows of a member. */
export interface Track {
  readonly member: Member;
  readonly startedAt: number;
  /** null until it is ready. */
  readyAt: number | null;
  /** Calls off the timer that waits until it is proven. */
  unwatch: () => void;
  /** Why it has to be replaced, if so. `failed`: it may not last until then. */
  retiring: { readonly reason: string; readonly failed: boolean } | null;
}

/** Why a worker is in no place any more. `died`: nobody told it to leave. */
export interface Out {
  readonly track: Track;
  readonly place: Place;
  readonly at: number;
  readonly died: boolean;
  readonly reason: string;
}

/** What the last death in a place means for the next start there. */
export type Debt =
  | { readonly is: 'none' }
  /** The next start is a restart, and the guard has a say in it. */
  | { readonly is: 'restart'; readonly since: number; readonly notBefore: number; readonly servedMs: number; readonly cancel: () => void }
  /** Nobody is started there until `retryAt`; null: until a command says so. */
  | { readonly is: 'given up'; readonly since: number; readonly retryAt: number | null; readonly cancel: () => void };

/** Recycling in a place is put off: its workers reached their limits young. */
export interface Hold {
  /** How many times in a row. */
  readonly times: number;
  readonly until: number;
  readonly cancel: () => void;
}

/** One of N. */
export interface Place {
  readonly number: number;
  current: Track | null;
  successor: Track | null;
  debt: Debt;
  /** How many times in a row it was given up. */
  retries: number;
  /** How many workers in a row were too old before they had served for `healthyMs`. */
  young: number;
  /** null: its worker is replaced as soon as it is too old. */
  hold: Hold | null;
  /** The last ends here, newest last. */
  exits: Exit[];
  /** The last one that died here. */
  lastDead: Member | null;
}

/** How many ends a place remembers. */
const EXITS = 5;

/** Is a worker there that serves? */
export const serves = (place: Place): boolean => place.current?.readyAt != null;

/** Nothing is owed any more. */
export function settle(place: Place): void {
  if (place.debt.is !== 'none') place.debt.cancel();
  place.debt = { is: 'none' };
}

/** Whoever is too old may be replaced again. */
export function release(place: Place): void {
  place.hold?.cancel();
  place.hold = null;
}

/** All places, and who has left them. */
export class Places {
  #all: Place[] = [];
  readonly #out = new Map<Member, Out>();

  get all(): readonly Place[] {
    return this.#all;
  }

  /** On the way out; their processes may be alive. */
  get out(): readonly Out[] {
    return [...this.#out.values()];
  }

  /** Every process that may be alive. */
  get members(): Member[] {
    const tracks = this.#all.flatMap(({ current, successor }) => [current, successor]);
    return [...tracks.flatMap((track) => (track === null ? [] : [track.member])), ...this.#out.keys()];
  }

  /** Adds places up to `count`. */
  grow(count: number): void {
    while (this.#all.length < count) {
      this.#all.push({
        number: this.#all.length + 1, current: null, successor: null, debt: { is: 'none' }, retries: 0, young: 0, hold: null, exits: [], lastDead: null,
      });
    }
  }

  /** Removes the last place, if there are more than `count`. Who is in it has to be dismissed. */
  shrink(count: number): Place | undefined {
    return this.#all.length > count ? this.#all.pop() : undefined;
  }

  find(member: Member): [Place, Track] | [null, null] {
    for (const place of this.#all) {
      for (const track of [place.current, place.successor]) if (track?.member === member) return [place, track];
    }
    return [null, null];
  }

  takeOut(out: Out): void {
    const { place, track } = out;
    if (place.current === track) place.current = null;
    if (place.successor === track) place.successor = null;
    track.unwatch();
    if (out.died) place.lastDead = track.member;
    this.#out.set(track.member, out);
  }

  /** Its process is gone. */
  forget(member: Member): Out | undefined {
    const out = this.#out.get(member);
    this.#out.delete(member);
    if (out?.died && member.state.is === 'gone') {
      const { code, signal } = member.state;
      out.place.exits = [...out.place.exits, { code, signal }].slice(-EXITS);
    }
    return out;
  }

  /** Is one of an older release still on its way out? */
  hasOlder(generation: Generation): boolean {
    return [...this.#out.keys()].some((member) => member.generation.number < generation.number);
  }
}
