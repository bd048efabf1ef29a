/**
 * A store for `sharedState({ store })` in the memory of this process: the reference for the contract, because it does
 * what the server in a primary does, with the same code (server/operations.ts). Each `Memory` is a server, and each store
 * that `connect` makes is one machine's way to it.
 */
import { Account } from '../../internal/shared_state/server/account';
import { Locks } from '../../internal/shared_state/server/locks';
import { operate, type StoreCall } from '../../internal/shared_state/server/operations';
import { Store } from '../../internal/shared_state/server/store';
import { mergeLimits, stateError } from '../../internal/shared_state/values';
import type { ResultOf } from '../../internal/shared_state/protocol';
import type { Limits, SharedStore, StoredValue, StoreEvent } from '../../lib/shared_state';

type Call<Op extends StoreCall['op']> = StoreCall & { readonly op: Op };
type Body<Op extends StoreCall['op']> = Omit<Call<Op>, 'op' | 'id'>;

/** The server: what it has is lost with `lose`. */
export class Memory {
  readonly #limits: Limits;
  readonly #holder = { id: 0, account: new Account(null) };
  readonly #changed = new Set<() => void>();
  #revision: number;
  #store: Store;
  #locks: Locks<{ id: number; account: Account }>;
  #losses = 0;

  /** `history`: how many events it remembers. */
  constructor(history = 1000) {
    this.#limits = mergeLimits({ history });
    this.#revision = Date.now() * 1000;
    this.#store = new Store(this.#limits, this.#revision);
    this.#locks = this.#newLocks();
  }

  /** The functions that `watch` of any of its stores was given, and that were not ended. */
  get watching(): number {
    return this.#changed.size;
  }

  /** Loses all keys and locks, as a server that is flushed. */
  lose(): void {
    this.#losses++;
    this.#revision = this.#store.revision + 1_000_000;
    this.#store = new Store(this.#limits, this.#revision);
    this.#locks = this.#newLocks();
  }

  /** Makes a store of this server. */
  connect(): SharedStore {
    let seen = this.#losses;
    /** Does one step on the server, and answers in a later turn, as over a network. */
    const ask = async <Outcome>(step: (now: number) => Outcome): Promise<Outcome> => {
      await new Promise((resolve) => setImmediate(resolve));
      if (seen !== this.#losses) {
        seen = this.#losses;
        throw stateError('ERR_SHARED_STATE_LOST', 'The memory was emptied');
      }
      const now = performance.now();
      this.#store.expire(now);
      this.#locks.expire(now);
      const before = this.#store.revision;
      const outcome = step(now);
      if (this.#store.revision !== before) for (const changed of [...this.#changed]) changed();
      await new Promise((resolve) => setImmediate(resolve));
      return outcome;
    };
    const done = <Op extends StoreCall['op']>(op: Op, body: Body<Op>): Promise<ResultOf<Op>> =>
      ask((now) => operate(this.#store, this.#locks, this.#limits, now, this.#holder, { ...body, op, id: 0 } as unknown as StoreCall) as ResultOf<Op>);
    const valueOf = ({ text = '', version, expiresAt }: ResultOf<'get'>): StoredValue =>
      ({ text, version, ...(expiresAt !== undefined && { ttlMs: expiresAt - performance.now() }) });
    return {
      get: async (key) => {
        const found = await done('get', { key });
        return found.text === undefined ? undefined : valueOf(found);
      },
      set: async (key, text, how) => (await done('set', { key, text, ...how })).version,
      compareAndSet: async (key, version, text, how) => {
        const result = await done('compareAndSet', { key, version, text, ...how });
        return result.done ? { done: true, version: result.version } : { done: false, current: result.text === undefined ? undefined : valueOf(result) };
      },
      increment: async (key, by, how) => valueOf(await done('increment', { key, by, ...how })),
      delete: async (key, how) => (await done('delete', { key, ...how })).done,
      acquire: (name, ttlMs) => ask((now) => {
        const granted = this.#locks.acquire(now, name, { holder: this.#holder, id: 0, ttlMs }, false);
        if (typeof granted === 'object') return { token: granted.token };
        return { leftMs: (this.#locks.look(name)?.expiresAt ?? now) - now };
      }),
      renew: async (name, token, ttlMs) => void await done('renew', { name, token, ttlMs }),
      release: async (name, token) => (await done('release', { name, token })).done,
      list: (prefix) => ask(() => ({ entries: this.#store.under(prefix).map(({ key, text, version }) => ({ key, text, version })), version: this.#store.revision })),
      changes: (prefix, since, most) => ask(() => {
        const { history, revision } = this.#store;
        if (since === undefined) return { events: [], version: revision };
        if (since > revision) return undefined;
        let at = history.after(since);
        if (at === null) return undefined;
        const events: StoreEvent[] = [];
        for (; at < history.end && events.length < most; at++) {
          const event = history.at(at);
          if (event.key.startsWith(prefix)) events.push(event);
        }
        return { events, version: events.length < most ? revision : events.at(-1)?.version ?? revision };
      }),
      watch: (changed) => {
        const own = (): void => changed();
        this.#changed.add(own);
        return () => void this.#changed.delete(own);
      },
    };
  }

  #newLocks(): Locks<{ id: number; account: Account }> {
    return new Locks(this.#limits, () => this.#store.nextRevision(), () => undefined);
  }
}
