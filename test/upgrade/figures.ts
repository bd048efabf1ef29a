/**
 * Measures what issue 22 asks for of a primary that is replaced, on the Node that runs it. `--help` says how.
 */
import { Clients, MIX } from '../moving/clients';
import { Kept } from '../moving/supervised';
import { Probe, Upgraded } from './upgraded';

const HELP = `npx tsx test/upgrade/figures.ts upgrades [count = 50]
    replaces the primary of 2 workers so many times, while 100 clients of all kinds (test/moving/clients.ts) never rest, 200
    keep-alive connections stay idle, and a probe connects at most once each millisecond; about 80 s for 50`;

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

const [, , what = '', count = '50'] = process.argv;
if (what === 'upgrades') void upgrades(Number(count));
else {
  console.log(HELP);
  process.exitCode = what === '--help' ? 0 : 2;
}
