/**
 * The messages between a supervisor in the primary and its agent in a worker, as types, and the guards that check
 * what arrives. Beside types it imports only is_object.ts.
 *
 * On the channel each message is `{ cmd: 'NODE_CLUSTER_SUPERVISOR', ...fields }`. Because `cmd` begins with NODE_, the
 * message arrives as 'internalMessage' on our channel and on Node's own: no 'message' listener of the app sees it.
 *
 * Used by  worker_process.ts, worker_events.ts, worker_settings.ts, health.ts (primary); worker/agent.ts (worker),
 *          operate/app/leftovers.ts
 * Wire     P is the primary, W the worker.
 *          P → W ping               W → P pong
 *          P → W serve              (to a canary, when it is proven)
 *          P → W leave              W → P out, finishing, drained, in this order
 *          W → P suicide            P → W noted, at once; then leave, when a successor is ready
 *                                   W → P last words, when an uncaught error ends the process
 *                                   W → P listens, checked, while the worker starts, and later
 */
import { isObject, type Fields } from '../is_object';
import type { HttpCheck } from './readiness';
import type { Figures } from './states';

/** The `cmd` of every message of a supervisor or its agent. */
export const SUPERVISOR = 'NODE_CLUSTER_SUPERVISOR';

/** The environment variable of a supervised worker that holds its Setup as JSON. The agent deletes it before the app runs. */
export const SETUP = 'CLUSTER_INTERNALS_SUPERVISED';

/** What an agent must know when its worker starts. Times are in milliseconds. */
export interface Setup {
  /** The worker is a canary: it takes no connections before the message 'serve'. */
  readonly trial: boolean;
  /** If the worker leaves without its primary: how long idle connections may send one more request. */
  readonly graceMs: number;
  /** If the worker leaves without its primary: how long that may take. */
  readonly leaveMs: number;
  /** How long a worker waits for the successor that it has asked for. */
  readonly patienceMs: number;
  /** If the worker leaves without being told to: do its idle connections move to other workers, if it runs our cluster? */
  readonly move: boolean;
  /** The HTTP check of the option `ready`; null if the app's readiness is not checked that way. */
  readonly check: HttpCheck | null;
}

/** Primary → worker: does its event loop run? Reply: pong. Without one in time, the primary treats the worker as hung. */
export interface Ping {
  readonly act: 'ping';
  readonly seq: number;
}

/** Primary → worker: a canary is proven, and takes connections from now on. No reply. */
export interface Serve {
  readonly act: 'serve';
}

/** Primary → worker: the reply to 'suicide'. The primary knows that this worker wants a successor. */
export interface Noted {
  readonly act: 'noted';
}

/**
 * Primary → worker: leave. The worker accepts connections for `delayMs`, then stops accepting, then finishes its
 * connections. The other times are counted from the end of `delayMs`: idle connections may send one more request for
 * `graceMs`; at `endMs` an app with `graceful` should cut off the rest; at `timeoutMs` the primary kills the worker.
 */
export interface LeaveNow {
  readonly act: 'leave';
  readonly delayMs: number;
  readonly graceMs: number;
  readonly endMs: number;
  readonly timeoutMs: number;
  /** Idle connections move to the workers that stay, if this worker runs our cluster. */
  readonly move: boolean;
}

/** Worker → primary: the reply to ping. `inspected`: its inspector is open. */
export interface Pong extends Figures {
  readonly act: 'pong';
  readonly seq: number;
  readonly inspected: boolean;
}

/** Worker → primary: all addresses at which the worker listens through its cluster, whenever that changes. */
export interface Listens {
  readonly act: 'listens';
  readonly at: readonly string[];
}

/** Worker → primary: the result of an HTTP check. `complaint` says what is wrong; '' means that the app is ready. */
export interface CheckResult {
  readonly act: 'checked';
  readonly complaint: string;
}

/** Worker → primary, after leave: the worker gets no new connections any more. */
export interface Out {
  readonly act: 'out';
}

/** Worker → primary, after out: idle connections are closed, `left` others are still open. */
export interface Finishing {
  readonly act: 'finishing';
  readonly left: number;
}

/** Worker → primary, after finishing: no connection is left. */
export interface Drained {
  readonly act: 'drained';
}

/** Worker → primary: this worker must end, and wants a successor first. Reply: noted. */
export interface Suicide {
  readonly act: 'suicide';
  readonly reason: string;
}

/** Worker → primary: this uncaught error ends the worker. No reply. If it is lost, 'giveup' does not say why the worker died. */
export interface LastWords {
  readonly act: 'last words';
  readonly text: string;
}

/** Every message from a supervisor to an agent. */
export type SupervisorMessage = Ping | Serve | Noted | LeaveNow;

/** Every message from an agent to its supervisor. */
export type AgentMessage = Pong | Listens | CheckResult | Out | Finishing | Drained | Suicide | LastWords;

// ── fields ───────────────────────────────────────────────────────────────────────────────────────

/** The most addresses that a worker reports. Far more than apps have; it bounds what a faulty worker makes the primary keep. */
export const MOST_ADDRESSES = 1_000;
/** The longest address that is accepted, in characters: a UNIX path has at most 108, an IPv6 address with zone and port about 70. */
const LONGEST_ADDRESS = 300;

/** An object whose fields were checked to be those of `Type`. */
type Guarded<Type> = Fields & Type;

const isString = (value: unknown): value is string => typeof value === 'string';
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isAmount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isKeyOf = <Table extends object>(table: Table, name: unknown): name is keyof Table => isString(name) && Object.hasOwn(table, name);
const isMessage = (value: unknown): value is Fields => isObject(value) && value['cmd'] === SUPERVISOR;

const areAddresses = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= MOST_ADDRESSES && value.every((address) => isString(address) && address.length <= LONGEST_ADDRESS);

const isCheck = (value: unknown): value is HttpCheck => isObject(value)
  && isString(value['path']) && (value['port'] === null || isAmount(value['port'])) && isAmount(value['intervalMs']) && isAmount(value['timeoutMs']);

// ── primary → worker ─────────────────────────────────────────────────────────────────────────────

const supervisorMessages = {
  ping: (message: Fields): message is Guarded<Ping> => isAmount(message['seq']),
  serve: (message: Fields): message is Guarded<Serve> => message['act'] === 'serve',
  noted: (message: Fields): message is Guarded<Noted> => message['act'] === 'noted',
  leave: (message: Fields): message is Guarded<LeaveNow> => ['delayMs', 'graceMs', 'endMs', 'timeoutMs'].every((name) => isAmount(message[name])) && isBoolean(message['move']),
} satisfies Record<SupervisorMessage['act'], unknown>;

/** What the primary sent, if it is a message of a supervisor; null otherwise. */
export function readSupervisorMessage(value: unknown): SupervisorMessage | null {
  if (!isMessage(value)) return null;
  const { act } = value;
  return isKeyOf(supervisorMessages, act) && supervisorMessages[act](value) ? value : null;
}

/** Reads the environment variable SETUP; null if no supervisor has set it. */
export function readSetup(text: string | undefined): Setup | null {
  if (text === undefined) return null;
  let setup: unknown;
  try {
    setup = JSON.parse(text);
  } catch {
    return null; // Another program uses a variable of this name.
  }
  if (!isObject(setup)) return null;
  const { trial, graceMs, leaveMs, patienceMs, move, check } = setup;
  if (!isBoolean(trial) || !isAmount(graceMs) || !isAmount(leaveMs) || !isAmount(patienceMs)) return null;
  return { trial, graceMs, leaveMs, patienceMs, move: move === true, check: isCheck(check) ? check : null };
}

// ── worker → primary ─────────────────────────────────────────────────────────────────────────────

const agentMessages = {
  pong: (message: Fields): message is Guarded<Pong> =>
    isBoolean(message['inspected']) && ['seq', 'connections', 'requests', 'rss', 'cpu', 'eventLoopDelayMs'].every((name) => isAmount(message[name])),
  listens: (message: Fields): message is Guarded<Listens> => areAddresses(message['at']),
  checked: (message: Fields): message is Guarded<CheckResult> => isString(message['complaint']),
  out: (message: Fields): message is Guarded<Out> => message['act'] === 'out',
  finishing: (message: Fields): message is Guarded<Finishing> => isAmount(message['left']),
  drained: (message: Fields): message is Guarded<Drained> => message['act'] === 'drained',
  suicide: (message: Fields): message is Guarded<Suicide> => isString(message['reason']),
  'last words': (message: Fields): message is Guarded<LastWords> => isString(message['text']),
} satisfies Record<AgentMessage['act'], unknown>;

/** What a worker sent, if it is a message of its agent; null otherwise. */
export function readAgentMessage(value: unknown): AgentMessage | null {
  if (!isMessage(value)) return null;
  const { act } = value;
  return isKeyOf(agentMessages, act) && agentMessages[act](value) ? value : null;
}

// ── messages of the cluster ──────────────────────────────────────────────────────────────────────

/** The messages of the cluster itself, from a worker to its primary, that a supervisor listens to as well. */
export type ClusterNews = 'online' | 'listening';

/** Which of these messages a worker sent; null for any other message. See `Online` and `Listening` in internal/messages.ts. */
export function readClusterNews(value: unknown): ClusterNews | null {
  if (!isObject(value) || value['cmd'] !== 'NODE_CLUSTER') return null;
  const { act } = value;
  return act === 'online' || act === 'listening' ? act : null;
}
