/** The shared state of a primary that is about to replace another one, while that one still has it: what ends meanwhile. */
import { beforeEach, describe, expect, test } from 'vitest';
import { machineClock } from '../../internal/clock';
import { StateProxy } from '../../internal/shared_state/server/proxy';
import { StateServer } from '../../internal/shared_state/server/server';
import { mergeLimits } from '../../internal/shared_state/values';
import { registerInheritance, type Inheritance, type InheritedState } from '../../internal/upgrade/registry';

const limits = mergeLimits(undefined);
const hello = { act: 'hello' } as const;

let state: InheritedState;
/** What went over the link, and what the processes got. */
let sent: unknown[];
let got: unknown[];
let proxy: StateProxy;
let sessions: Set<object>;

beforeEach(() => {
  sent = [];
  got = [];
  sessions = new Set();
  registerInheritance({ openState: (opened: InheritedState) => { state = opened; } } as unknown as Inheritance);
  proxy = new StateProxy(() => {
    const server = new StateServer(machineClock, limits, 1, () => undefined);
    const [connect, end] = [server.connect.bind(server), server.end.bind(server)];
    server.connect = (id, send) => {
      const session = connect(id, send);
      sessions.add(session);
      return session;
    };
    server.end = (session) => {
      sessions.delete(session);
      end(session);
    };
    return server;
  });
});

const connected = (id: number): ReturnType<StateProxy['connect']> => proxy.connect(id, (message) => got.push([id, message.act]));
const began = (): void => state.began({ send: (key, _id, message) => void sent.push([key, message]) });

describe('while the state is with the other primary', () => {
  test.each(['unknown', 'there'])('(%s) close ends it for all processes, here and there', (where) => {
    const [one, other] = [connected(1), connected(2)];
    if (where === 'there') began();
    proxy.receive(one, hello);
    proxy.end(other);
    sent = [];
    proxy.close();
    proxy.receive(one, hello);
    proxy.end(one);
    state.switched(0, null);
    expect([got, sent]).toEqual([[[1, 'closed']], where === 'there' ? [[1, null]] : []]);
  });

  test.each(['comes over', 'is lost'])('a process that ended before it %s has no session here', (how) => {
    const [one, other] = [connected(1), connected(2)];
    began();
    proxy.receive(one, hello);
    proxy.receive(other, hello);
    proxy.end(other);
    if (how === 'is lost') state.lost();
    else state.switched(3, { revision: 1, entries: [], history: { floor: 1, events: [] }, locks: [], sessions: [{ key: 1, feeds: [] }] });
    expect([...sessions]).toEqual([one.session]);
  });
});
