/**
 * Plays many histories over a real Redis, and looks for one that is not linearizable.
 *
 *   npx tsx test/shared_state/redis_hunt.ts --help
 */
import { runTool, WrongArgument } from '../support/tool';
import { seeded } from '../support/seeded';
import { hasRedis } from '../support/redis_server';
import { playHistory, type Blow } from './redis_history';

runTool({
  name: 'redis_hunt',
  usage: 'npx tsx test/shared_state/redis_hunt.ts',
  about: 'Eight processes on two machines share a state over a real redis-server, which is killed and\nstarted again, stopped and flushed at random; workers are killed, too. Each history must be\n'
    + 'linearizable. Exit code 1: one was not; its seed is printed.',
  takes: 'some 10 s for each history, more with other work on the machine',
  example: 'npx tsx test/shared_state/redis_hunt.ts --histories 20 --seed 1',
  options: {
    histories: { takes: 'whole number', default: 10, about: 'how many' },
    operations: { takes: 'whole number', default: 150, about: 'of each process in a history' },
    kills: { takes: 'whole number', default: 2, least: 0, about: 'of workers of each machine in a history' },
    blows: { takes: 'whole number', default: 4, least: 0, about: 'to Redis in a history' },
    seed: { takes: 'whole number', default: 1, about: 'of the first history; the next one has the next' },
  },
}, async ({ values: { histories, operations, kills, blows, seed } }) => {
  if (!hasRedis) throw new WrongArgument('there is no redis-server: apt-get install redis-server, or set REDIS_SERVER to its path');
  const sums = { calls: 0, unknown: 0, killed: 0, entered: 0, overlaps: 0 };
  const errors: Record<string, number> = {};
  for (let each = seed; each < seed + histories; each++) {
    const below = seeded(each * 31);
    const kinds: readonly Blow[] = ['restart', 'restart', 'restart', 'flush', 'stop'];
    const chosen = Array.from({ length: blows }, () => kinds[below(kinds.length)] ?? 'restart');
    const played = await playHistory({ seed: each, operations, kills, blows: chosen }).catch((error: Error) => {
      throw new Error(`the history of seed ${each} (${chosen.join(', ')}): ${error.stack ?? error.message}`);
    });
    for (const name of ['calls', 'unknown', 'killed', 'entered', 'overlaps'] as const) sums[name] += played[name];
    for (const [code, count] of Object.entries(played.errors)) errors[code] = (errors[code] ?? 0) + count;
    process.stderr.write(`seed ${each}: ${chosen.join(', ')}: ${played.calls} calls, ${played.unknown} of unknown outcome\n`);
  }
  console.log(`${histories} histories, all linearizable: ${sums.calls} calls, ${sums.unknown} of unknown outcome; ${sums.killed} workers killed; the lock was entered ${sums.entered} times, ${sums.overlaps} times beside a holder whose lease a flush had forgotten`);
  for (const [code, count] of Object.entries(errors).sort()) console.log(`  ${code}: ${count}`);
});
