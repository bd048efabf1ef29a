/**
 * The measures in which something goes wrong or changes: a worker is blocked, workers are killed, workers are reloaded.
 * Each peer is started for its turn alone, with more workers, and stopped after it.
 *
 * Used by  all/run.ts
 */
import http from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { KeptWindow } from '../load/kept';
import type { PeerRow } from '../peers_table';
import { lives } from '../processes';
import { inRotation, type Context } from './context';
import { closed, open } from './measures';
import { startPeer, type Started } from './start';

/** Workers of a peer in these measures. */
const WORKERS = 4;
const ROUNDS = 3;
/** Connections per second: far below what any peer can do, so that what waits or fails does so for its own reason. */
const RATE = 500;
const BLOCKED_MS = 2000;
/** Seconds of load before the worker blocks, and after it is back. */
const AROUND = 0.5;
const KILLING = 4;
const KILL_EVERY_MS = 100;
/** Seconds after the window until a connection without an answer counts as hung. */
const HUNG_AFTER = 5;
/** Connections that are kept open during a reload, and the pause between two requests of one. */
const KEPT = 40;
const PAUSE_MS = 50;
/** Seconds of load around a reload. */
const RELOADING = 12;

/** Starts a peer, warms it up, measures it, stops it. */
async function alone(context: Context, row: PeerRow, env: Readonly<Record<string, string>>, measure: (peer: Started) => Promise<void>): Promise<void> {
  const peer = await startPeer(row, { workers: WORKERS, env });
  try {
    await closed(context, peer.port, context.bench.seconds(1));
    await measure(peer);
  } finally {
    await peer.stop();
  }
}

const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((total, one) => total + one, 0);
const later = (milliseconds: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

export async function blocked(context: Context): Promise<void> {
  const { samples, bench } = context;
  await inRotation(context, 'blocked', Math.min(ROUNDS, bench.pairs), (row) => alone(context, row, {}, async ({ port }) => {
    const window = open(context, port, RATE, AROUND * 2 + BLOCKED_MS / 1000);
    await later(AROUND * 1000);
    const answer = answered(`http://127.0.0.1:${port}/block?ms=${BLOCKED_MS}`);
    const { slow, failed, hung } = await window;
    if (!await answer) throw new Error('the request that blocks a worker was not answered');
    samples.add('blocked-slow', row.id, slow + hung);
    samples.add('blocked-failed', row.id, sum(failed));
  }));
}

export async function killed(context: Context): Promise<void> {
  const { samples, bench } = context;
  await inRotation(context, 'killed', Math.min(ROUNDS, bench.pairs), async (row) => {
    const directory = mkdtempSync(path.join(tmpdir(), 'bench-served-'));
    const served = path.join(directory, 'served');
    try {
      await alone(context, row, { SERVED: served }, async (peer) => {
        const seconds = Math.max(1, bench.seconds(KILLING));
        const window = open(context, peer.port, RATE, seconds, HUNG_AFTER);
        const kills = await killEvery(peer, served, seconds * 1000);
        const { answered: count, failed, hung } = await window;
        samples.add('killed-kills', row.id, kills);
        samples.add('killed-answered', row.id, (100 * count) / (count + hung + sum(failed)));
        samples.add('killed-hung', row.id, hung);
        samples.add('killed-reset', row.id, sum(failed));
        samples.add('killed-twice', row.id, twice(readFileSync(served, 'utf8')));
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
}

/**
 * Kills a worker every KILL_EVERY_MS: of those that listen the one that lives longest. While only one listens it is spared,
 * and that turn is left out. `served` is the file of the app, in which each worker says that it listens.
 */
async function killEvery(peer: Started, served: string, milliseconds: number): Promise<number> {
  const until = performance.now() + milliseconds;
  let kills = 0;
  while (performance.now() < until) {
    await later(KILL_EVERY_MS);
    const listening = listeningIn(readFileSync(served, 'utf8'));
    const [oldest, ...others] = peer.workers().filter((pid) => listening.has(pid) && lives(pid));
    if (oldest === undefined || others.length === 0) continue;
    process.kill(oldest, 'SIGKILL');
    kills++;
  }
  return kills;
}

/** The processes that say in the app's file that they listen. */
export function listeningIn(served: string): Set<number> {
  return new Set([...served.matchAll(/^listening (\d+)$/gm)].map(([, pid]) => Number(pid)));
}

/** How many ids stand in the file more than once. */
export function twice(text: string): number {
  const ids = text.split('\n').filter((line) => /^\d+$/.test(line) && line !== '0');
  return ids.length - new Set(ids).size;
}

export async function reload(context: Context): Promise<void> {
  const { samples, bench } = context;
  await inRotation(context, 'reload', Math.min(ROUNDS, bench.pairs), (row) => alone(context, row, {}, async ({ port, reload: ask }) => {
    if (ask === null) throw new Error('it has no reload');
    const generator = await bench.generator();
    const window = generator.ask<KeptWindow>('kept', { port, connections: KEPT, pause: PAUSE_MS, seconds: RELOADING });
    await later(AROUND * 1000);
    const begun = performance.now();
    await ask();
    const took = (performance.now() - begun) / 1000;
    const { failed, closed: idle } = await window;
    if (took > RELOADING - AROUND) throw new Error(`the reload took ${took.toFixed(1)} s, longer than the load`);
    samples.add('reload-failed', row.id, failed);
    samples.add('reload-closed', row.id, idle);
    samples.add('reload-time', row.id, took);
  }));
}

/** Did an HTTP request get an answer? */
function answered(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false, headers: { connection: 'close' }, timeout: 20_000 }, (response) => {
      response.resume().on('end', () => resolve(true)).on('error', () => resolve(false));
    });
    request.on('timeout', () => request.destroy()).on('error', () => resolve(false));
  });
}
