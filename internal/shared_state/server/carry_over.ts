/**
 * Makes a snapshot of the shared state, and begins with one, when one primary takes the place of another.
 *
 * Used by  server.ts
 * Uses     snapshot.ts (what it consists of), feed.ts, account.ts; store.ts, locks.ts, session.ts (types)
 * Keeps    versions, tokens, ends and leases stay as they are. A watch goes on after the latest event that was sent to it
 */
import { Account } from './account';
import { Feed } from './feed';
import type { Locks } from './locks';
import type { Session } from './session';
import type { StateSnapshot } from './snapshot';
import type { Store } from './store';

/** The state as of now. Each session has a key. */
export function takeSnapshot(store: Store, locks: Locks<Session>, sessions: Iterable<Session>, keyOf: (session: Session) => number | undefined): StateSnapshot {
  const all = [...sessions];
  const owners = new Map(all.map((session) => [session.account, keyOf(session)]));
  const key = (session: Session): number => keyOf(session) ?? -1;
  const { history } = store;
  return {
    revision: store.revision,
    entries: store.entries.map(({ key: name, text, version, expiresAt, account }) => ({ key: name, text, version, expiresAt: expiresAt ?? null, owner: owners.get(account) ?? null })),
    history: { floor: history.floor, events: Array.from({ length: history.end - history.first }, (_, at) => history.at(history.first + at)) },
    locks: locks.all().map(({ name, holder, token, expiresAt, waiting }) => ({
      name, holder: key(holder), token, expiresAt, waiting: waiting.map(({ holder: waits, id, ttlMs }) => ({ holder: key(waits), id, ttlMs })),
    })),
    sessions: all.filter(({ known }) => known).map((session) => ({ key: key(session), feeds: [...session.feeds.values()].map((feed) => feed.snapshot()) })),
  };
}

/** Puts the state into an empty store and into locks that nobody holds. */
export function restoreSnapshot({ entries, history, locks: held, sessions }: StateSnapshot, store: Store, locks: Locks<Session>, sessionOf: (key: number) => Session | null): void {
  const nobody = new Account(null);
  store.restore(entries.map(({ owner, expiresAt, ...entry }) => ({
    ...entry, expiresAt: expiresAt ?? undefined, account: (owner === null ? null : sessionOf(owner))?.account ?? nobody,
  })), history.floor, history.events);
  for (const { name, holder, token, expiresAt, waiting } of held) {
    const session = sessionOf(holder);
    if (session === null) continue;
    locks.restore(name, session, token, expiresAt, waiting.flatMap(({ holder: waits, id, ttlMs }) => {
      const waiter = sessionOf(waits);
      return waiter === null ? [] : [{ holder: waiter, id, ttlMs }];
    }));
  }
  for (const { key, feeds } of sessions) {
    const session = sessionOf(key);
    if (session === null) continue;
    session.known = true;
    for (const { watch, prefix, since, beat, batch } of feeds) session.feeds.set(watch, new Feed(store, watch, prefix, since ?? undefined, beat, batch));
  }
}
