/**
 * Checks what arrives from the other process against the types of `protocol.ts`: it is `unknown` before,
 * and has its type afterwards. A message that no guard here accepts is ignored.
 *
 * Each message, operation and result has one guard, in a table whose keys are the names: the compiler
 * reports a name without a guard. Used by server/, client/ and store/.
 */
import { isObject, type Fields } from '../is_object';
import {
  STATE, type Announce, type Answer, type Answers, type Batch, type Bye, type Call, type Calls, type Cancel, type ClientMessage, type Closed, type Consumed,
  type Events, type Fence, type Hello, type KeyEvent, type Limits, type OperationName, type OperationOf, type ReceivedServerMessage, type Refusal, type ResultOf, type Welcome,
} from './protocol';

/** An object of the wire whose fields were checked to be those of `Type`. */
type Checked<Type> = Fields & Type;

// ── kinds of fields ──────────────────────────────────────────────────────────────────────────────

/** The greatest time to live in milliseconds: ten years. More is surely a mistake in the program. */
export const MAX_TTL = 10 * 365 * 24 * 3600 * 1000;

const isString = (value: unknown): value is string => typeof value === 'string';
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isNumber = (value: unknown): value is number => Number.isFinite(value);
/** Is it a whole number, 0 or more? */
export const isCount = (value: unknown): value is number => isNumber(value) && Number.isSafeInteger(value) && value >= 0;
/** Is it a time to live: more than 0, at most MAX_TTL? */
export const isTtl = (value: unknown): value is number => typeof value === 'number' && value > 0 && value <= MAX_TTL;
const isListOf = <Item>(value: unknown, is: (item: unknown) => item is Item): value is Item[] => Array.isArray(value) && value.every(is);
/** Is the field absent, or what `is` accepts? */
const isOptional = (value: unknown, is: (value: unknown) => boolean): boolean => value === undefined || is(value);
const isKeyOf = <Table extends object>(table: Table, name: unknown): name is keyof Table => isString(name) && Object.hasOwn(table, name);

const isFence = (value: unknown): value is Fence => isObject(value) && isString(value['name']) && isCount(value['token']);

const LIMITS: Readonly<Record<keyof Limits, true>> = {
  keys: true, keysPerProcess: true, keyBytes: true, valueBytes: true, totalBytes: true, bytesPerProcess: true, watches: true,
  locks: true, locksPerProcess: true, pendingCalls: true, unreadBytes: true, history: true,
};
const isLimits = (value: unknown): value is Limits => isObject(value) && Object.keys(LIMITS).every((name) => isCount(value[name]));

/** Is it a message of the shared state, in either direction? */
const isStateMessage = (value: unknown): value is Fields => isObject(value) && value['cmd'] === STATE;

// ── client → server ──────────────────────────────────────────────────────────────────────────────

const clientMessages = {
  hello: (message: Fields): message is Checked<Hello> => message['act'] === 'hello',
  calls: (message: Fields): message is Checked<Calls> => Array.isArray(message['calls']),
  cancel: (message: Fields): message is Checked<Cancel> => isCount(message['id']),
  consumed: (message: Fields): message is Checked<Consumed> => isCount(message['watch']) && isCount(message['batch']),
  bye: (message: Fields): message is Checked<Bye> => message['act'] === 'bye',
} satisfies Record<ClientMessage['act'], unknown>;

/** What a client sent; null if it is no message of a client. The calls in it are checked one by one, by `readCall`. */
export function readClientMessage(value: unknown): ClientMessage | null {
  if (!isStateMessage(value)) return null;
  const { act } = value;
  return isKeyOf(clientMessages, act) && clientMessages[act](value) ? value : null;
}

type OperationGuards = { readonly [Op in OperationName]: (call: Fields) => call is Checked<OperationOf<Op>> };

const isWrite = ({ key, ttlMs, fence }: Fields): boolean => isString(key) && isOptional(ttlMs, isTtl) && isOptional(fence, isFence);

const operations: OperationGuards = {
  get: (call): call is Checked<OperationOf<'get'>> => isString(call['key']),
  set: (call): call is Checked<OperationOf<'set'>> => isWrite(call) && isString(call['text']),
  delete: (call): call is Checked<OperationOf<'delete'>> => isString(call['key']) && isOptional(call['version'], isCount) && isOptional(call['fence'], isFence),
  increment: (call): call is Checked<OperationOf<'increment'>> => isWrite(call) && isNumber(call['by']),
  compareAndSet: (call): call is Checked<OperationOf<'compareAndSet'>> => isWrite(call) && isString(call['text']) && isCount(call['version']),
  lock: (call): call is Checked<OperationOf<'lock'>> => isString(call['name']) && isTtl(call['ttlMs']) && isBoolean(call['wait']),
  renew: (call): call is Checked<OperationOf<'renew'>> => isString(call['name']) && isCount(call['token']) && isTtl(call['ttlMs']),
  release: (call): call is Checked<OperationOf<'release'>> => isString(call['name']) && isCount(call['token']),
  holder: (call): call is Checked<OperationOf<'holder'>> => isString(call['name']),
  watch: (call): call is Checked<OperationOf<'watch'>> => isCount(call['watch']) && isString(call['prefix'])
    && isOptional(call['since'], (since) => since === 'now' || isCount(since)) && isOptional(call['beat'], isBoolean),
  unwatch: (call): call is Checked<OperationOf<'unwatch'>> => isCount(call['watch']),
};

const hasId = (value: unknown): value is Fields & { readonly id: number } => isObject(value) && isCount(value['id']);

/**
 * The call; a copy without a prototype if the app has put a name of an optional field on Object.prototype, because an
 * option that was not sent must not be found there. Only then: the copy takes longer than all checks of the call.
 */
function ownFields(call: Fields): Fields {
  const { prototype } = Object;
  const isPolluted = 'ttlMs' in prototype || 'fence' in prototype || 'version' in prototype || 'since' in prototype || 'beat' in prototype;
  return isPolluted ? { __proto__: null, ...call } : call;
}

/** One call; `op: 'none'` with the id if only that makes sense, so that it can be refused; null if not even the id does. */
export function readCall(value: unknown): Call | { readonly op: 'none'; readonly id: number } | null {
  if (!isObject(value)) return null;
  const call = ownFields(value);
  if (!hasId(call)) return null;
  const { op, id } = call;
  return isKeyOf(operations, op) && operations[op](call) ? call : { op: 'none', id };
}

// ── server → client ──────────────────────────────────────────────────────────────────────────────

const serverMessages = {
  announce: (message: Fields): message is Checked<Announce> => message['act'] === 'announce',
  welcome: (message: Fields): message is Checked<Welcome> => isLimits(message['limits']),
  answers: (message: Fields): message is Checked<Answers<unknown>> => isListOf(message['answers'], isAnswer),
  events: (message: Fields): message is Checked<Events> => isListOf(message['batches'], isBatch),
  closed: (message: Fields): message is Checked<Closed> => message['act'] === 'closed',
} satisfies Record<ReceivedServerMessage['act'], unknown>;

/** What the server sent; null if it is no message of the server. The results in it are checked one by one, by `isResultOf`. */
export function readServerMessage(value: unknown): ReceivedServerMessage | null {
  if (!isStateMessage(value)) return null;
  const { act } = value;
  return isKeyOf(serverMessages, act) && serverMessages[act](value) ? value : null;
}

const isRefusal = (value: unknown): value is Refusal =>
  isObject(value) && isString(value['code']) && isString(value['message']) && isOptional(value['limit'], (limit) => isKeyOf(LIMITS, limit))
  && isOptional(value['maybeDone'], isBoolean);

const isAnswer = (value: unknown): value is Answer<unknown> =>
  isObject(value) && isCount(value['id']) && (isRefusal(value['error']) || isObject(value['result']));

type ResultGuards = { readonly [Op in OperationName]: (result: unknown) => result is ResultOf<Op> };

const isFound = (value: unknown): value is ResultOf<'get'> =>
  isObject(value) && isCount(value['version']) && isOptional(value['text'], isString) && isOptional(value['expiresAt'], isNumber);
const isVersion = (value: unknown): value is ResultOf<'set'> => isObject(value) && isCount(value['version']);
const isDone = (value: unknown): value is ResultOf<'release'> => isObject(value) && isBoolean(value['done']);

const results: ResultGuards = {
  get: isFound,
  set: isVersion,
  delete: (result): result is ResultOf<'delete'> => isVersion(result) && isDone(result),
  increment: (result): result is ResultOf<'increment'> => isFound(result) && result.text !== undefined,
  compareAndSet: (result): result is ResultOf<'compareAndSet'> => isFound(result) && isDone(result),
  lock: (result): result is ResultOf<'lock'> => isObject(result)
    && (result['token'] === undefined || (isCount(result['token']) && isNumber(result['expiresAt']))),
  renew: (result): result is ResultOf<'renew'> => isObject(result) && isNumber(result['expiresAt']),
  release: isDone,
  holder: (result): result is ResultOf<'holder'> => isObject(result)
    && (result['holder'] === undefined || (['holder', 'token', 'waiting'].every((name) => isCount(result[name])) && isNumber(result['expiresAt']))),
  watch: isVersion,
  unwatch: isDone,
};

/** Is it what the operation `op` results in? */
export const isResultOf = <Op extends OperationName>(op: Op, result: unknown): result is ResultOf<Op> => results[op](result);

const isKeyEvent = (value: unknown): value is KeyEvent => isObject(value) && isString(value['key']) && isCount(value['version'])
  && (isString(value['text']) || value['gone'] === 'deleted' || value['gone'] === 'expired');

const isBatch = (value: unknown): value is Batch => isObject(value)
  && isCount(value['watch']) && isCount(value['batch']) && isCount(value['version']) && isNumber(value['time'])
  && isBoolean(value['current']) && isBoolean(value['ask']) && isListOf(value['events'], isKeyEvent)
  && isOptional(value['reset'], (reset) => reset === 'part' || reset === 'last');
