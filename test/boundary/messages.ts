/**
 * Lists every message of the protocol. The list is read from the source of internal/messages.ts, so that nobody can
 * forget a new message: `allMessages` throws until `triggers` says what a program has to do to make it come.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../support/program';

export interface Message {
  /** The name of its interface. */
  readonly name: string;
  readonly from: 'worker' | 'primary';
  /** Its `act`; replies have none. */
  readonly act: string | null;
}

/** What the program of this test does beyond listening and serving, to make the message come. */
export type Trigger = 'nothing' | 'close' | 'leave' | 'disconnect' | 'give' | 'take' | 'share' | 'withdraw';

/** The hand-off of a connection that another worker has given back, and its two acknowledgements. hook.js recognizes them. */
const MOVES: readonly Message[] = [
  { name: 'NewConnection of a move', from: 'primary', act: 'newconn' },
  { name: 'Accepted of a move', from: 'worker', act: 'accepted' },
  { name: 'NewConnectionReply of a move', from: 'worker', act: null },
];

const triggers: Record<string, Trigger> = {
  Online: 'nothing', QueryServer: 'nothing', ServerReply: 'nothing', Listening: 'nothing', NewConnection: 'nothing', Accepted: 'nothing',
  NewConnectionReply: 'nothing', Close: 'close', ExitedAfterDisconnect: 'leave', Reply: 'leave', Disconnect: 'disconnect',
  ReturnIdle: 'give', Returned: 'give', ReturnReply: 'give', ...Object.fromEntries(MOVES.map(({ name }) => [name, 'take'])), Progress: 'share', Quota: 'share',
  Withdraw: 'withdraw',
};

/** The messages of both unions. Throws if one has no trigger, or if there are acts that are in neither. */
export function allMessages(source = readFileSync(path.join(root, 'internal/messages.ts'), 'utf8')): Message[] {
  const bodies = new Map([...source.matchAll(/export interface (\w+)[^{]*\{([^}]*)\}/g)].map(([, name, body]) => [name as string, body as string]));
  const messages = [['WorkerMessage', 'worker'], ['PrimaryMessage', 'primary']].flatMap(([union, from]) => {
    const members = new RegExp(`export type ${union} =([^;]+);`).exec(source)?.[1]?.split('|').map((name) => name.trim()).filter((name) => name !== '') ?? [];
    return members.map((name) => ({ name, from: from as Message['from'], act: /\bact: '(\w+)'/.exec(bodies.get(name) ?? '')?.[1] ?? null }));
  });
  const known = new Set(messages.map(({ act }) => act));
  const strangers = [...source.matchAll(/\b(?:act: |case )'(\w+)'/g)].map(([, act]) => act as string).filter((act) => !known.has(act));
  if (strangers.length > 0) throw new Error(`acts in no union: ${strangers.join()}`);
  if (messages.some(({ name }) => name === 'NewConnection')) messages.push(...MOVES);
  for (const { name } of messages) triggerOf(name);
  return messages;
}

export function triggerOf(name: string): Trigger {
  const trigger = triggers[name];
  if (trigger === undefined) throw new Error(`no trigger makes ${name} come: add one to test/boundary/messages.ts`);
  return trigger;
}

/** One fault: what happens to whom, at which message. */
export interface Fault {
  readonly message: Message;
  /** Who sees the message when it happens: as it is sent, or as it is received. */
  readonly seenBy: 'worker' | 'primary';
  readonly moment: 'before' | 'after';
  /** `stop` is SIGSTOP, and SIGKILL when the others have served. */
  readonly action: 'kill' | 'stop' | 'close' | 'exit';
  readonly victim: 'worker' | 'primary';
  readonly dialect: 'pipelined' | 'node';
  /** In a move: what the victim does. The message can be one between the primary and the other worker. */
  readonly as?: 'giver' | 'taker';
}

/**
 * Faults that are not tested here. In a worker no code of the program runs before `online` is sent, so it cannot
 * cause a fault there (killed.test.ts kills a worker right after its fork). And a process that closes its channel and
 * then sends on it gets an error, as it should.
 */
const isNoCase = ({ message, seenBy, moment, action }: Fault): boolean =>
  (message.name === 'Online' && seenBy === 'worker') || (action === 'close' && moment === 'before' && seenBy === message.from);

/** Every fault that is tested: each message, with each moment, action and victim that makes sense for it. */
export function allFaults(): Fault[] {
  const faults: Fault[] = [];
  for (const message of allMessages()) {
    // Each dialect has its own acknowledgement, and only one can return connections, has quotas and asks for no more connections. In dialect node the worker is a stock one, so only the primary can cause a fault.
    const trigger = triggerOf(message.name);
    const isOurs = ['give', 'share', 'withdraw'].includes(trigger);
    const dialects = ([['pipelined', 'NewConnectionReply'], ['node', 'Accepted']] as const)
      .filter(([dialect, other]) => message.name.split(' ')[0] !== other && !(isOurs && dialect === 'node')).map(([dialect]) => dialect);
    for (const dialect of dialects) {
      for (const seenBy of dialect === 'node' ? ['primary'] as const : ['worker', 'primary'] as const) {
        for (const moment of ['before', 'after'] as const) {
          for (const action of ['kill', 'stop', 'close', 'exit'] as const) {
            if (seenBy === 'worker' || action !== 'exit') faults.push({ message, seenBy, moment, action, victim: 'worker', dialect });
            if (seenBy === 'primary' && action !== 'close' && action !== 'stop') faults.push({ message, seenBy, moment, action, victim: 'primary', dialect });
          }
        }
      }
      // A message of the giver, and the taker is killed; and the other way round.
      const as = trigger === 'give' ? 'taker' : 'giver';
      if (trigger !== 'give' && (trigger !== 'take' || dialect === 'node')) continue;
      for (const moment of ['before', 'after'] as const) faults.push({ message, seenBy: 'primary', moment, action: 'kill', victim: 'worker', dialect, as });
    }
    // A stock worker can be the taker.
    if (trigger === 'give') for (const moment of ['before', 'after'] as const) faults.push({ message, seenBy: 'primary', moment, action: 'kill', victim: 'worker', dialect: 'node', as: 'taker' });
  }
  return faults.filter((fault) => !isNoCase(fault));
}

/** The kills of one of the two workers of a move. */
export const isKillInMove = ({ message, action, victim }: Fault): boolean =>
  action === 'kill' && victim === 'worker' && ['give', 'take'].includes(triggerOf(message.name));

export const nameOf = ({ message, seenBy, moment, action, victim, dialect, as }: Fault): string =>
  `${action} the ${as ?? victim} ${moment} ${message.name} is ${seenBy === message.from ? 'sent' : 'received'}, ${dialect}`;
