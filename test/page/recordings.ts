/** Recordings made by hand for the tests of the page: the same every time, with every kind of event. */
import { release } from '../../internal/recording/sources';

export interface MadeRecording {
  readonly header: Record<string, unknown>;
  readonly events: Record<string, unknown>[];
}

const MS = 1e6;

/** Writes events down in order; each process numbers its own. */
class Writer {
  readonly events: Record<string, unknown>[] = [];
  readonly #seqs = new Map<string, number>();
  readonly #frames = new Map<string, number>();

  add(at: number, name: string, kind: string, fields: object): void {
    const seq = this.#seqs.get(name) ?? 0;
    this.#seqs.set(name, seq + 1);
    const worker = /^W(\d+)$/.exec(name)?.[1];
    this.events.push({ at: at * MS, pid: 1000 + Number(worker ?? 0), name, role: worker === undefined ? 'primary' : 'worker', worker: worker === undefined ? null : Number(worker), seq, kind, ...fields });
  }

  /** A message: sent, and unless `travels` is null received that many milliseconds later. */
  message(at: number, from: string, to: string, act: string, { travels = 0.1, fields = {}, more = {}, source = ['internal/messages.ts', 10] as const }: { travels?: number | null; fields?: object; more?: object; source?: readonly [string, number] } = {}): void {
    const way = `${from}>${to}`;
    const frame = this.#frames.get(way) ?? 0;
    this.#frames.set(way, frame + 1);
    const wire = { cmd: 'NODE_CLUSTER', act, ...fields, seq: frame };
    const common = { id: `${way}#${frame}`, from, to, dialect: 'pipelined', act, app: false, fields: wire, bytes: JSON.stringify(wire).length + 1, encoding: 'json', tag: '', ...more };
    this.add(at, from, 'message', { way: 'sent', ...common, source: { file: source[0], line: source[1] } });
    if (travels !== null) this.add(at + travels, to, 'message', { way: 'received', ...common, sentAt: at * MS, source: { file: 'internal/calls.ts', line: 12 } });
  }
}

const ADDRESS = 'null:8000:4:undefined:0';

function processes(dies: boolean): object[] {
  const one = (pid: number, name: string, more: object): object => ({ pid, name, role: name === 'P' ? 'primary' : 'worker', worker: name === 'P' ? null : Number(name.slice(1)), parent: name === 'P' ? null : 1000, parentName: name === 'P' ? null : 'P', ended: 90 * MS, code: 0, signal: null, recorded: true, missing: 0, ...more });
  return [one(1000, 'P', { started: 0 }), one(1001, 'W1', { started: 2 * MS }), one(1002, 'W2', { started: 3 * MS, ...(dies ? { ended: 60 * MS, code: null, signal: 'SIGKILL' } : {}) })];
}

export const header = (more: object = {}): Record<string, unknown> => ({
  format: 'cluster-internals-recording', version: 1, release: release(), node: 'v20.20.2', platform: 'linux', stock: false, started: '2026-11-28T18:00:00.000Z', program: ['app.js'], cwd: '/app',
  payloads: false, limit: 1e8, duration: 90 * MS, events: 0, processes: processes(true), connectionIds: '', cannotShow: [], cutOff: [], ...more,
});

/** The line of internal/master/peer.ts that the fixture names as the sender of `newconn`. */
export const SENDER = ['internal/master/peer.ts', 20] as const;

/**
 * Two workers come up; c1 goes to W1; c2 is in flight to W2 when W2 is killed. Ours: it goes back into the queue, and
 * to W1. Stock: nobody takes it back.
 */
export function smallRecording(stock = false): MadeRecording {
  const writer = new Writer();
  writer.add(0, 'P', 'process', { event: 'start', parent: 1, node: 'v20', argv: ['app.js'] });
  for (const [number, at] of [[1, 2], [2, 3]] as const) {
    const name = `W${number}`;
    writer.add(at, 'P', 'process', { event: 'fork', child: 1000 + number, childWorker: number });
    writer.add(at + 10, name, 'process', { event: 'start', parent: 1000, node: 'v20', argv: ['app.js'] });
    writer.message(at + 12, name, 'P', 'online');
    writer.add(at + 12.2, 'P', 'state', { of: 'worker', what: name, from: 'none', to: 'online' });
    writer.message(at + 15, name, 'P', 'queryServer', { fields: { index: 0, data: null, address: null, port: 8000, addressType: 4 } });
    writer.message(at + 15.5, 'P', name, 'reply', { fields: { ack: 1, errno: null, key: ADDRESS, sockname: { address: '::', port: 8000 } } });
    writer.message(at + 16, name, 'P', 'listening', { fields: { port: 8000 } });
    writer.add(at + 16.2, 'P', 'state', { of: 'worker', what: name, from: 'online', to: 'listening' });
  }
  const connection = (at: number, name: string, event: string, id: string, queue: number, inFlight: number, more: object = {}): void =>
    writer.add(at, name, 'connection', { event, connection: id, address: ADDRESS, fd: name === 'P' ? 22 : 19, ...(name === 'P' ? { queue, inFlight } : {}), ...more });
  const handOff = (at: number, id: string, to: string, arrives: boolean): void => {
    writer.message(at, 'P', to, 'newconn', { travels: arrives ? 0.1 : null, fields: { key: ADDRESS }, more: { connection: id, fd: 22 }, source: SENDER });
    connection(at + 0.02, 'P', 'handed off', id, 0, 1, { to });
    if (!arrives) return;
    writer.message(at + 0.2, to, 'P', 'accepted', { fields: { upTo: 1 }, more: { connection: id, connections: [id] } });
    connection(at + 0.22, to, 'delivered', id, 0, 0);
    connection(at + 0.25, to, 'opened', id, 0, 0, { client: '127.0.0.1:40000' });
    connection(at + 0.32, 'P', 'acknowledged', id, 0, 0, { to });
  };
  connection(30, 'P', 'queued', 'c1', 1, 0);
  handOff(30.1, 'c1', 'W1', true);
  connection(35, 'W1', 'closed', 'c1', 0, 0, { by: 'client', bytesRead: 80, bytesWritten: 100 });
  writer.add(40, 'W2', 'loop', { busy: 1, delay: 8 * MS });
  connection(50, 'P', 'queued', 'c2', 1, 0);
  handOff(50.1, 'c2', 'W2', false);
  writer.add(60, 'W2', 'process', { event: 'exit', code: null, signal: 'SIGKILL', seenBy: 'parent' });
  writer.add(60.5, 'P', 'state', { of: 'worker', what: 'W2', from: 'listening', to: 'dead' });
  if (!stock) {
    connection(60.6, 'P', 'reclaimed', 'c2', 1, 0, { to: 'W2' });
    handOff(60.7, 'c2', 'W1', true);
    connection(70, 'W1', 'closed', 'c2', 0, 0, { by: 'worker', bytesRead: 80, bytesWritten: 100 });
  }
  writer.add(90, 'P', 'process', { event: 'exit', code: 0, signal: null, seenBy: 'itself' });
  const events = writer.events.sort((a, b) => Number(a['at']) - Number(b['at']));
  return { header: header({ stock, events: events.length }), events };
}

/** The same, while connections wait in the kernel at two sockets. */
export function waitingRecording(): MadeRecording {
  const small = smallRecording();
  const sample = (at: number, address: string, socket: number, waiting: number, seq: number): Record<string, unknown> => ({ at: at * MS, pid: 0, name: 'kernel', role: 'other', worker: null, seq, kind: 'kernel', address, socket, waiting });
  const samples = [sample(25, '[::]:8000', 7, 3, 1), sample(27, '[::]:8001', 8, 1, 2), sample(29, '[::]:8000', 7, 0, 3)];
  return { header: small.header, events: [...small.events, ...samples].sort((a, b) => Number(a['at']) - Number(b['at'])) };
}

/** Thousands of connections, over two workers in turn: 10 events each. */
export function largeRecording(connections: number): MadeRecording {
  const writer = new Writer();
  for (let number = 0; number < connections; number++) {
    const at = 20 + number * 0.4;
    const id = `c${number + 1}`;
    const to = `W${(number % 2) + 1}`;
    const about = { connection: id, address: ADDRESS, fd: 22 };
    writer.add(at, 'P', 'connection', { event: 'queued', ...about, queue: 1, inFlight: 0 });
    writer.message(at + 0.01, 'P', to, 'newconn', { more: { connection: id, fd: 22 } });
    writer.add(at + 0.02, 'P', 'connection', { event: 'handed off', ...about, to, queue: 0, inFlight: 1 });
    writer.message(at + 0.12, to, 'P', 'accepted', { fields: { upTo: number }, more: { connection: id } });
    writer.add(at + 0.13, to, 'connection', { event: 'delivered', ...about });
    writer.add(at + 0.14, to, 'connection', { event: 'opened', ...about, client: '127.0.0.1:1' });
    writer.add(at + 0.23, 'P', 'connection', { event: 'acknowledged', ...about, to, queue: 0, inFlight: 0 });
    writer.add(at + 0.9, to, 'connection', { event: 'closed', ...about, by: 'client' });
  }
  const events = writer.events.sort((a, b) => Number(a['at']) - Number(b['at']));
  const end = 20 * MS + connections * 0.4 * MS + 5 * MS;
  return { header: header({ duration: end, events: events.length, processes: processes(false).map((each) => ({ ...each, ended: null })) }), events };
}

/** What a browser would run, if a page let it. */
export const HOSTILE = '</script></style><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>{{script}}\u202e\u0007`${window.hacked=1}`';

/** The same recording with a hostile text in every field that holds a text, and in every name of a field. */
export function hostile({ header: made, events }: MadeRecording): MadeRecording {
  const spoil = (value: unknown, key = ''): unknown => {
    if (typeof value === 'string') return KEPT.has(key) ? value : `${value}${HOSTILE}`;
    if (Array.isArray(value)) return value.map((each) => spoil(each));
    if (typeof value === 'object' && value !== null) {
      const entries = Object.entries(value).map(([name, each]): [string, unknown] => [name, spoil(each, name)]);
      return Object.fromEntries(key === 'fields' ? [...entries, [HOSTILE, HOSTILE], ['__proto__', HOSTILE]] : entries);
    }
    return value;
  };
  return { header: spoil(made) as Record<string, unknown>, events: events.map((event) => spoil(event) as Record<string, unknown>) };
}

/** Without these an event would be of no kind. */
const KEPT = new Set(['kind', 'way', 'format', 'role', 'encoding', 'of']);
