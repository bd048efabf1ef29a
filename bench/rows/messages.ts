/**
 * Messages between a parent and its children: one way and there and back, in both serializations, and
 * to sixteen children at once. Rows `oneway`, `roundtrip`, `broadcast`.
 *
 * `oneway` gives parent and child a CPU each, and then puts both on one CPU: there it counts what a message costs both of
 * them, and not how soon the kernel wakes the other CPU. Objects are measured in both directions.
 *
 * Programs send objects, so the figures with a goal measure objects. Short strings are the fastest messages
 * there are; their figures have no goal.
 *
 * In `roundtrip` only one of the two processes works at a time. How long a trip takes depends on the kernel:
 * it wakes the other process on the same CPU or on one that sleeps, which differs by a factor of four and
 * changes from one run to the next. So the row keeps each parent and its child on one CPU. A figure without
 * a goal shows what they do where the kernel places them.
 */
import type { Bench } from '../bench';
import { figure, type Chart, type Figure } from '../figures';
import { NOT_PINNED, pin } from '../pinning';
import type { Program } from '../program';
import type { Result, Row } from './row';

/** Seconds of a window, and of one in the row `oneway`, which has many. */
const WINDOW = 0.7;
const SHORT_WINDOW = 0.4;
const SERIALIZATIONS = ['json', 'advanced'] as const;
type Serialization = (typeof SERIALIZATIONS)[number];
const IMPLEMENTATIONS = ['stock', 'ours'] as const;
type Implementation = (typeof IMPLEMENTATIONS)[number];

interface Size {
  readonly content: 'object' | 'string' | 'buffer';
  /** Of the message, without what the encoding adds. An object is counted as its JSON text. */
  readonly bytes: number;
  readonly text: string;
}
const KIB = 1024;
const MIB = 1024 * 1024;
const SMALL: Size = { content: 'object', bytes: 64, text: '64 B object' };
const STRING: Size = { content: 'string', bytes: 64, text: '64 B string' };
const SIZES: readonly Size[] = [
  SMALL,
  { content: 'object', bytes: KIB, text: '1 KiB object' },
  { content: 'object', bytes: 16 * KIB, text: '16 KiB object' },
  { content: 'object', bytes: MIB, text: '1 MiB object' },
  STRING,
];
/** JSON would write a Buffer as a list of numbers, so they are measured with `advanced` only. */
const BUFFERS: readonly Size[] = [
  { content: 'buffer', bytes: 64, text: '64 B Buffer' },
  { content: 'buffer', bytes: 16 * KIB, text: '16 KiB Buffer' },
  { content: 'buffer', bytes: MIB, text: '1 MiB Buffer' },
];

interface Count {
  readonly count: number;
  readonly seconds: number;
}

export const messageRows: readonly Row[] = [
  { name: 'oneway', about: 'messages per second, parent to child and child to parent', run: oneWay },
  { name: 'roundtrip', about: 'messages there and back, one at a time', run: roundTrip },
  { name: 'broadcast', about: 'an object of 64 B to 16 children', run: broadcast },
];

/** From parent to child, or from child to parent. */
type Direction = 'down' | 'up';

/** Where the two processes run, and who sends. */
const WAYS: readonly { readonly direction: Direction; readonly cpus: 1 | 2; readonly text: string }[] = [
  { direction: 'down', cpus: 2, text: '' },
  { direction: 'up', cpus: 2, text: ', child to parent' },
  { direction: 'down', cpus: 1, text: ', on one CPU' },
  { direction: 'up', cpus: 1, text: ', child to parent, on one CPU' },
];

async function oneWay(bench: Bench): Promise<Result> {
  const figures: Figure[] = [];
  let pinned = true;
  for (const serialization of SERIALIZATIONS) {
    const parents = await startParents(bench, { serialization });
    for (const way of WAYS) {
      pinned = place(Object.values(parents), way.cpus) && pinned;
      for (const size of sizesOf(serialization, way.direction)) {
        const rates = await ratesOf(bench, parents, way.direction, size, `oneway ${serialization} ${size.text}${way.text}`, SHORT_WINDOW);
        figures.push(oneWayFigure(serialization, size, way, rates));
      }
    }
    await bench.stop(...Object.values(parents));
  }
  return { figures, charts: [chartOf('Messages one way, ours / stock', figures)], notes: pinned ? [] : [`oneway: ${NOT_PINNED}`] };
}

/** From child to parent fewer sizes are measured: the two ends differ little. */
function sizesOf(serialization: Serialization, direction: Direction): readonly Size[] {
  const sizes = [...SIZES, ...(serialization === 'json' ? [] : BUFFERS)];
  return direction === 'down' ? sizes : sizes.filter(({ content, bytes }) => content === 'object' && bytes !== KIB);
}

/** Puts each parent on the first CPU, and its child on the first or on the second. */
function place(parents: readonly Program[], cpus: 1 | 2): boolean {
  const pids = parents.map(({ facts }) => facts.pids);
  return pin(pids.map(([parent = 0]) => parent), 0) && pin(pids.flatMap(([, ...children]) => children), cpus - 1);
}

function oneWayFigure(serialization: Serialization, size: Size, { direction, cpus, text }: (typeof WAYS)[number], rates: Rates): Figure {
  const large = size.bytes > 64 * 1024;
  const scale = large ? size.bytes / 1e6 : 1;
  const side = (name: Implementation) => ({ name, samples: rates[name].map((rate) => rate * scale) });
  const id = `oneway-${serialization}-${size.content}-${size.bytes}${direction === 'up' ? '-up' : ''}${cpus === 1 ? '-one-cpu' : ''}`;
  const title = `${large ? 'MB/s' : 'messages/s'} one way, ${size.text}, ${serialization}${text}`;
  return figure({ id, title, unit: large ? 'MB/s' : '/s', better: 'higher' }, side('ours'), side('stock'));
}

async function roundTrip(bench: Bench): Promise<Result> {
  const figures: Figure[] = [];
  let pinned = true;
  for (const serialization of SERIALIZATIONS) {
    const parents = await startParents(bench, { serialization });
    const measure = async (size: Size, placed = ''): Promise<void> => {
      const rates = await ratesOf(bench, parents, 'roundTrips', size, `roundtrip ${serialization} ${size.text}${placed}`);
      figures.push(figure(
        { id: `roundtrip-${serialization}-${size.content}-${size.bytes}${placed}`, title: `round trips/s, ${size.text}, ${serialization}${placed}`, unit: '/s', better: 'higher' },
        { name: 'ours', samples: rates.ours }, { name: 'stock', samples: rates.stock },
      ));
    };
    if (serialization === 'json') await measure(SMALL, ', placed by the kernel');
    pinned = pin(Object.values(parents).flatMap(({ facts }) => facts.pids), 0);
    for (const size of SIZES) await measure(size);
    await bench.stop(...Object.values(parents));
  }
  return { figures, charts: [chartOf('Messages there and back, ours / stock', figures)], notes: pinned ? [] : [`roundtrip: ${NOT_PINNED}`] };
}

async function broadcast(bench: Bench): Promise<Result> {
  const parents = await startParents(bench, { children: 16 });
  const rates = await ratesOf(bench, parents, 'down', SMALL, 'broadcast');
  await bench.stop(...Object.values(parents));
  return {
    figures: [figure(
      { id: 'broadcast-object-64', title: 'broadcast of a 64 B object to 16 children, messages/s', unit: '/s', better: 'higher' },
      { name: 'ours', samples: rates.ours }, { name: 'stock', samples: rates.stock },
    )],
  };
}

type Parents = Record<Implementation, Program>;
type Rates = Record<Implementation, number[]>;

async function startParents(bench: Bench, options: { serialization?: Serialization; children?: number }): Promise<Parents> {
  return {
    stock: await bench.start('stock parent', 'servers/messages.js', { implementation: 'stock', ...options }),
    ours: await bench.start('our parent', 'servers/messages.js', { implementation: 'ours', ...options }),
  };
}

async function ratesOf(bench: Bench, parents: Parents, command: Direction | 'roundTrips', size: Size, title: string, window = WINDOW): Promise<Rates> {
  const measure = async (name: Implementation): Promise<number> => {
    const { count, seconds } = await parents[name].ask<Count>(command, { size: size.bytes, content: size.content, seconds: bench.seconds(window) });
    return count / seconds;
  };
  for (const name of IMPLEMENTATIONS) await measure(name); // Warm.
  return bench.inTurn(IMPLEMENTATIONS, async (name, pair) => {
    const rate = await measure(name);
    bench.say(`${title} ${pair + 1}/${bench.pairs} ${name}: ${Math.round(rate)}/s`);
    return rate;
  });
}

function chartOf(title: string, figures: readonly Figure[]): Chart {
  return { title, unit: 'ratio', labels: figures.map((one) => one.title.replace(/^[^,]*, /, '')), values: figures.map((one) => one.verdict.median) };
}
