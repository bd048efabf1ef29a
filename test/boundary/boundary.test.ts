/**
 * At every message of the protocol, just before and just after it, on either side: a worker is killed,
 * stopped and killed, loses its channel, exits; or the primary is killed or exits. Every fifth of these
 * here, `npm run soak` plays all; and each kill, by the primary, of a worker that gives or takes a moving connection.
 */
import { describe, expect, test } from 'vitest';
import { allFaults, allMessages, isKillInMove, nameOf, triggerOf } from './messages';
import { playPrimaryFault, playWorkerFaults } from './play';

const EVERY = 5;
/** Programs at a time. */
const PROGRAMS = 3;

/** The primary looped for ever: the acknowledgement that ended its draining channel had a message behind it. */
const REGRESSION = 'close the worker after NewConnection is sent, node';

const chosen = allFaults().filter((fault, at) => at % EVERY === 0 || nameOf(fault) === REGRESSION || (isKillInMove(fault) && fault.seenBy === 'primary' && fault.dialect === 'pipelined'));
const ofWorkers = chosen.filter(({ victim }) => victim === 'worker');

test('the messages are read from messages.ts; one that nothing makes come is told', () => {
  expect(allMessages().map(({ name }) => name)).toEqual(expect.arrayContaining(['Online', 'QueryServer', 'Accepted', 'NewConnection', 'ServerReply']));
  expect(new Set(chosen.map(({ message }) => message.name)).size).toBe(allMessages().length);
  const one = "export interface New { readonly act: 'new' }\nexport type WorkerMessage = New;\nexport type PrimaryMessage = New;";
  expect(() => allMessages(one)).toThrow('no trigger makes New come');
  expect(() => allMessages("case 'stray': ")).toThrow('acts in no union: stray');
});

test('a move has ten boundaries: five messages, each sent and received; at each, giver and taker are killed', () => {
  const kills = allFaults().filter(isKillInMove);
  const roleOf = ({ as, message }: typeof kills[number]): string => as ?? (triggerOf(message.name) === 'give' ? 'giver' : 'taker');
  const names = [...new Set(kills.map(({ message }) => message.name))].sort();
  expect(names).toEqual(['Accepted of a move', 'NewConnection of a move', 'NewConnectionReply of a move', 'ReturnIdle', 'ReturnReply', 'Returned']);
  for (const name of names) {
    for (const role of name === 'NewConnectionReply of a move' ? ['taker'] : ['giver', 'taker']) {
      const at = kills.filter((kill) => kill.message.name === name && roleOf(kill) === role);
      expect(new Set(at.map(({ moment }) => moment)), `${name}, the ${role}`).toEqual(new Set(['before', 'after']));
    }
  }
});

describe.concurrent('faults', () => {
  for (let program = 0; program < PROGRAMS; program++) {
    const part = ofWorkers.filter((_, at) => at % PROGRAMS === program);
    test(`${part.length} of a worker, part ${program + 1}`, { timeout: 20_000 + 8_000 * part.length }, async ({ expect: expects }) => {
      expects(await playWorkerFaults(part)).toEqual([]);
    });
  }
  for (const fault of chosen.filter(({ victim }) => victim === 'primary')) {
    test(nameOf(fault), async ({ expect: expects }) => {
      expects(await playPrimaryFault(fault)).toEqual([]);
    });
  }
});
