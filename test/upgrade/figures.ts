/**
 * Measures what issue 22 asks for of a primary that is replaced, on the Node that runs it. `--help` says how.
 */
import { Clients, MIX } from '../moving/clients';
import { Kept } from '../moving/supervised';
import { WrongArgument, positive, runTool } from '../support/tool';
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

runTool({
  name: 'upgrades',
  usage: 'npx tsx test/upgrade/figures.ts',
  about: 'Replaces the primary of 2 workers N times, while 100 clients of all kinds (test/moving/clients.ts)\nnever rest, 200 keep-alive connections stay idle, and a probe connects at most once each millisecond.',
  takes: 'about 80 s for 50',
  example: 'npx tsx test/upgrade/figures.ts upgrades 50',
  options: {},
  positionals: { name: 'upgrades [N]', about: 'how many (50)' },
}, async ({ positionals: [what = '', count = '50', ...more] }) => {
  if (what !== 'upgrades') throw new WrongArgument(`there is no figure '${what}', but upgrades`);
  if (more.length > 0) throw new WrongArgument('upgrades takes one number');
  await upgrades(positive('upgrades', count));
});
