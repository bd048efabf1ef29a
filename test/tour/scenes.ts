/**
 * The scenes of the tour, in order. Each is a program of test/examples: reading it, running it and watching it are the
 * same thing. Its texts are in en.json and zh.json: `scene.KEY.title`, `.text`, `.question`, `.answer`.
 *
 * To add a scene: a row here, its texts in both languages, and its program in test/examples. `answer` is the event that
 * answers the question: `track` (0 or 1), `nth` of those that fit, and the fields that it must have; `toBlocked`: its
 * receiver was blocked then.
 */
export interface Recipe {
  /** A file of test/examples, and its arguments. */
  readonly program: readonly [file: string, ...args: string[]];
  readonly stock?: true;
  readonly label?: string;
  /** Records the app's own messages too. */
  readonly payloads?: true;
}

export interface Scene {
  readonly key: string;
  readonly tracks: readonly Recipe[];
  readonly answer: Readonly<Record<string, unknown>>;
  /** Reads numbers for the texts out of what the programs printed, one text for each track. */
  readonly facts?: (printed: readonly string[]) => Readonly<Record<string, string>>;
}

const STOCK = { stock: true, label: "Node's own cluster" } as const;
const both = (file: string): readonly Recipe[] => [{ program: [file] }, { program: [file], ...STOCK }];
const found = (text: string | undefined, pattern: RegExp): string => pattern.exec(text ?? '')?.[1] ?? '?';

export const SCENES: readonly Scene[] = [
  { key: 'listen', tracks: [{ program: ['listen.ts'] }], answer: { kind: 'message', act: 'reply', way: 'received' } },
  { key: 'roundRobin', tracks: [{ program: ['one_connection.ts'] }], answer: { kind: 'connection', event: 'acknowledged' } },
  { key: 'stockMessages', tracks: both('one_connection.ts'), answer: { track: 1, kind: 'message', act: 'NODE_HANDLE_ACK', way: 'sent' } },
  { key: 'killed', tracks: both('killed_in_flight.ts'), answer: { track: 0, kind: 'connection', event: 'reclaimed' } },
  { key: 'blocked', tracks: [{ program: ['blocked_worker.ts'] }], answer: { kind: 'connection', event: 'handed off', toBlocked: true, nth: 1 } },
  {
    key: 'herd', tracks: [{ program: ['thundering_herd.ts', 'none'], label: 'SCHED_NONE' }, { program: ['thundering_herd.ts', 'rr'], label: 'SCHED_RR (round robin)' }],
    answer: { track: 0, kind: 'connection', event: 'opened' },
    facts: ([none, rr]) => ({ none: found(none, /none: ([\d.]+)/), rr: found(rr, /rr: ([\d.]+)/) }),
  },
  {
    key: 'proxy', tracks: [{ program: ['behind_a_proxy.ts'], label: 'a proxy, and one port for each process' }, { program: ['hello.ts'], label: 'one shared port' }],
    answer: { track: 1, kind: 'connection', event: 'acknowledged' },
    facts: ([proxy]) => ({ sockets: found(proxy, /4 clients: (\d+)/) }),
  },
  { key: 'gracefulExit', tracks: [{ program: ['graceful_exit.ts'] }], answer: { kind: 'message', act: 'exitedAfterDisconnect', way: 'sent' } },
  { key: 'reload', tracks: [{ program: ['reload.ts'] }], answer: { kind: 'message', act: 'disconnect', way: 'received' } },
  { key: 'handles', tracks: [{ program: ['sent_handle.ts'], payloads: true }, { program: ['sent_handle.ts'], payloads: true, ...STOCK }], answer: { track: 1, kind: 'message', act: 'NODE_HANDLE', way: 'sent' } },
  { key: 'moved', tracks: [{ program: ['moving.ts'] }], answer: { kind: 'connection', event: 'returned', name: 'P' } },
];
