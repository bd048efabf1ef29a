/**
 * Measures what issue 22 asks for of a primary that is replaced, on the Node that runs it. `--help` says how.
 */
import { Clients, MIX } from '../moving/clients';
import { Kept } from '../moving/supervised';
import { WrongArgument, positive, runTool } from '../support/tool';
import { DEATHS, IDLE, die, heirOf, type Outcome } from './deaths';
import { Probe, Upgraded } from './upgraded';

const node = `Node ${process.versions.node}`;

async function upgrades(count: number): Promise<void> {
  const app = new Upgraded({ options: { workers: 2 } });
  const port = await app.port();
  const kept = await Kept.open(port, 200);
  const clients = new Clients(port, MIX);
  const probe = new Probe(port);
  const took: number[] = [];
  for (let at = 0; at < count; at++) {
    const began = performance.now();
    const { upgrade, reason } = await app.upgrade();
    if (upgrade !== 'done') console.log(`upgrade ${at + 1}: ${String(reason)}`);
    took.push(performance.now() - began);
  }
  await probe.stop();
  const { requests, failed, closed, wrong } = await clients.stop();
  const replies = await kept.ask();
  console.log(`${node}: ${count} upgrades (median ${took.sort((one, other) => one - other)[count >> 1]?.toFixed(0)} ms), ${requests} requests: ${failed.length} failed, ` +
    `${closed.length} closed, ${wrong.length} wrong; of ${replies.length} idle keep-alive connections ${kept.closed} were closed, ` +
    `${replies.filter((reply) => reply !== null).length} answered afterwards; ${probe.count} probes, ${probe.failures.length} refused, reset or not answered, ${probe.slow} took a second or more (slowest ${probe.slowest.toFixed(0)} ms)`);
  for (const what of [...failed, ...closed, ...wrong, ...probe.failures].slice(0, 10)) console.log(what);
  kept.end();
  await app.end();
  if (app.stderr !== '') console.log(app.stderr);
}

async function deaths(rounds: number): Promise<void> {
  let isGood = true;
  console.log(`${node}, ${rounds} times each: who is killed, at which message, who serves afterwards; requests, failed, refused; of ${IDLE} idle connections closed`);
  for (const death of DEATHS) {
    const all: Outcome[] = [];
    for (let round = 0; round < rounds; round++) all.push(await die(death));
    const sum = (of: (outcome: Outcome) => number): number => all.reduce((total, outcome) => total + of(outcome), 0);
    const serves = [...new Set(all.map((outcome) => outcome.serves))].join(' or ');
    console.log(`${death.who} ${death.at.padEnd(10)} ${serves.padEnd(6)} ${sum(({ requests }) => requests)} ${sum(({ failed }) => failed.length)} ${sum(({ refused }) => refused.length)} ${all.map(({ closed }) => closed).join(',')}`);
    for (const what of all.flatMap(({ failed, refused }) => [...failed, ...refused]).slice(0, 5)) console.log(`  ${what}`);
    // A connection that the old primary has accepted, and that nobody else has yet, dies with it.
    const lost = sum(({ failed }) => (death.who === 'S' ? failed.length : 0)) + sum(({ refused }) => refused.length);
    if (serves !== heirOf(death) || lost > 0) isGood = false;
  }
  process.exitCode = isGood ? 0 : 1;
}

runTool({
  name: 'upgrades',
  usage: 'npx tsx test/upgrade/figures.ts',
  about: 'Replaces the primary of 2 workers N times, while 100 clients of all kinds (test/moving/clients.ts)\nnever rest, 200 keep-alive connections stay idle, and a probe connects at most once each millisecond.\n' +
    'deaths: kills the successor (S) and the old primary (P) at each message between the two, under load: who serves\nafterwards, and what clients have noticed. Exit code 1 if somebody else serves than should, if a connect was\nrefused, or if the death of the successor has cost a request.',
  takes: 'about 80 s for 50 upgrades; some 50 s for each round of deaths',
  example: 'npx tsx test/upgrade/figures.ts upgrades 50',
  options: {},
  positionals: { name: 'upgrades [N] | deaths [N]', about: 'how many upgrades (50), or how often each death (1)' },
}, async ({ positionals: [what = '', count, ...more] }) => {
  if (what !== 'upgrades' && what !== 'deaths') throw new WrongArgument(`there is no figure '${what}', but upgrades and deaths`);
  if (more.length > 0) throw new WrongArgument(`${what} takes one number`);
  if (what === 'upgrades') await upgrades(positive(what, count ?? '50'));
  else await deaths(positive(what, count ?? '1'));
});
