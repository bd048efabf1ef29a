/** Random values in the shapes that the protocol knows, and near misses of them: from a seed, as plain JSON. */
import { random } from '../random/sequences';

export type Value = null | boolean | number | string | Value[] | { [name: string]: Value };

/** Draws from one seed. */
export class Dice {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = random(seed);
  }

  below(limit: number): number {
    return Math.floor(this.#next() * limit);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  chance(part: number): boolean {
    return this.#next() < part;
  }

  list<Item>(most: number, make: () => Item): Item[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }
}

const numbers = [0, 1, 2, 3, 7, 80, -1, -22, 99, 65535, 65536, 1.5, 1e300, 2 ** 31, 2 ** 53, 4294967295];
const texts = ['', 'a', 'hasOwnProperty', '__proto__', 'constructor', 'toString', 'null:80:4:undefined', 'null:80:4:undefined:0', '127.0.0.1', '\n', 'H{}', 'ä€😀', 'x'.repeat(5000)];
export const cmds = ['NODE_CLUSTER', 'NODE_HANDLE', 'NODE_HANDLE_ACK', 'NODE_HANDLE_NACK', 'NODE_SOCKET_NOTIFY_CLOSE', 'NODE_SOCKET_GET_COUNT', 'NODE_SOCKET_COUNT', 'NODE_SOCKET_ALL_CLOSED', 'NODE_DEBUG_ENABLED', 'NODE_', 'NODE_X', 'app'];
/** Fields of all messages, with the values that make sense there. */
const fields: Record<string, (dice: Dice) => Value> = {
  act: (dice) => dice.pick(['online', 'queryServer', 'listening', 'withdraw', 'close', 'exitedAfterDisconnect', 'accepted', 'newconn', 'disconnect', 'returned', 'returned', 'returnIdle', 'progress', 'quota', 'unknown']),
  seq: (dice) => dice.below(20), ack: (dice) => dice.below(20), upTo: (dice) => dice.below(20), index: (dice) => dice.below(3),
  key: (dice) => dice.pick(['null:80:4:undefined:0', 'null:80:4:undefined', 'null:8080:4:undefined:0']), accepted: (dice) => dice.chance(0.5),
  rejected: (dice) => dice.list(4, () => dice.below(20)), open: (dice) => ({ 'null:80:4:undefined:0': dice.below(9) }),
  errno: (dice) => dice.pick([null, 0, -98, -22]), data: () => null, address: (dice) => dice.pick([null, '127.0.0.1', '::', 'no ip']),
  port: (dice) => dice.pick([80, 0, 8080, -1, null]), addressType: (dice) => dice.pick([4, 6, -1, null]), fd: (dice) => dice.pick([-1, 99999]),
  flags: (dice) => dice.pick([0, 1, null]), backlog: (dice) => dice.pick([0, 511, -5, false]), sockname: () => ({ address: '::', family: 'IPv6', port: 80 }),
  total: (dice) => dice.pick([0, 5, 1e9]), step: (dice) => dice.pick([0, 8]), full: () => true, found: () => true, mostOpen: (dice) => dice.below(20),
  counts: (dice) => dice.pick([true, 'seldom', 'x']), taken: (dice) => dice.chance(0.5), moved: () => true, max: (dice) => dice.pick([0, 1, 5, -1, 1.5]), keep: (dice) => dice.pick([0, 2, -1, 1.5]), type: (dice) => dice.pick(['net.Native', 'net.Socket', 'dgram.Native', 'dgram.Socket', 'unknown']), dgramType: (dice) => dice.pick(['udp4', 'udp6', 'x']),
  msg: (dice) => value(dice, 2),
};
const names = Object.keys(fields);

/** What each act has to have, so that most messages pass the guards. */
const shapes: Record<string, string[]> = {
  online: [], queryServer: ['seq', 'index', 'address', 'port', 'addressType', 'flags', 'backlog'], listening: ['index', 'address', 'port', 'addressType'], close: ['key'],
  exitedAfterDisconnect: ['seq'], withdraw: ['seq', 'key'], accepted: ['upTo', 'rejected', 'open'], newconn: ['seq', 'key'], returned: ['seq', 'key'], returnIdle: ['max', 'key', 'keep'], progress: ['key', 'total'], quota: ['key', 'upTo', 'step'], disconnect: [], unknown: ['seq'],
};

/** Any value. */
export function value(dice: Dice, depth = 3): Value {
  switch (dice.below(depth > 0 ? 8 : 6)) {
    case 0: return null;
    case 1: return dice.chance(0.5);
    case 2: case 3: return dice.pick(numbers);
    case 4: case 5: return dice.pick(texts);
    case 6: return dice.list(4, () => value(dice, depth - 1));
    default: return Object.fromEntries(dice.list(4, () => [dice.pick([...names, ...texts]), value(dice, depth - 1)]));
  }
}

/** A cluster message of either side: well formed, or with a field too many, too few or of another kind. */
export function clusterMessage(dice: Dice): Value {
  if (dice.chance(0.05)) return value(dice);
  const message: { [name: string]: Value } = { cmd: dice.chance(0.95) ? 'NODE_CLUSTER' : dice.pick(cmds) };
  const reply = dice.chance(0.25);
  const act = String(fields['act']?.(dice));
  if (!reply) message['act'] = act;
  for (const name of reply ? ['ack', dice.chance(0.3) ? 'taken' : 'accepted', ...(dice.chance(0.5) ? ['errno', 'key', 'sockname'] : [])] : shapes[act] ?? []) message[name] = (fields[name] as (dice: Dice) => Value)(dice);
  if (act === 'progress' && !reply) message['open'] = dice.below(9);
  return mutated(dice, message);
}

/** An envelope around a handle, or a step of its acknowledgement. */
export function envelope(dice: Dice): Value {
  const message: { [name: string]: Value } = { cmd: dice.pick(cmds) };
  for (const name of ['type', 'msg', 'key', 'dgramType']) if (dice.chance(0.8)) message[name] = (fields[name] as (dice: Dice) => Value)(dice);
  return mutated(dice, message);
}

function mutated(dice: Dice, message: { [name: string]: Value }): Value {
  if (dice.chance(0.3)) message[dice.pick(names)] = value(dice);
  if (dice.chance(0.1)) delete message[dice.pick(Object.keys(message))];
  return message;
}
