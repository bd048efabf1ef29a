/** The text of metrics: what each kind looks like, that no text can break a line of it, and counters by place. */
import { spawnSync } from 'node:child_process';
import type { Cluster } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { performance } from '../../internal/builtins';
import { ConnectionCounters } from '../../internal/master/connection_counters';
import { connectionFamilies, fleetFamilies } from '../../internal/operate/metrics/families';
import { openMetricsText, type Family } from '../../internal/operate/metrics/openmetrics';
import { PlaceTotals } from '../../internal/operate/metrics/place_totals';
import { MetricsReader } from '../../internal/operate/metrics/reader';
import { showToObservers } from '../../internal/supervisor/observers';
import type { Status, SupervisorEvent } from '../../internal/supervisor/status';
import type { Supervisor } from '../../internal/supervisor/supervisor';
import { inPrometheusFormat, readOpenMetrics, withTimes } from '../support/openmetrics';

const worker = (place: number, worker: number | null, is: string, figures: number | null): object => ({
  place, worker, pid: worker, generation: 1, role: 'current', state: { is, since: 0 }, restarts: 0, moved: 0,
  connections: figures, requests: figures, rss: figures, cpu: figures, eventLoopDelayMs: figures,
});

/** Every metric, with a number. */
function everything(): string {
  const counters = new ConnectionCounters();
  counters.measureLatency();
  const connection = { close: () => undefined, ref: () => undefined, unref: () => undefined };
  counters.accepted(connection);
  counters.handedOff();
  counters.ended(connection, 'accepted');
  const status = { desired: 2, restarts: 3, workers: [worker(2, 5, 'ready', 7), worker(1, 1, 'leaving', 4), worker(1, 4, 'starting', null), worker(3, null, 'given up', null)] };
  return openMetricsText([
    ...connectionFamilies(counters.read(0)),
    ...fleetFamilies(status as unknown as Status, { requests: new Map([[1, 10], [2, 20]]), moves: new Map([[1, 3], [2, 0]]), reloads: new Map([['aborted', 1]]) }),
  ]);
}

test('the text of a counter, a gauge and a histogram', () => {
  const families: Family[] = [
    { name: 'a_requests', type: 'counter', help: 'Requests.', samples: [{ labels: { place: '1' }, value: 5 }, { labels: { place: '2' }, value: null }] },
    { name: 'a_memory_bytes', type: 'gauge', unit: 'bytes', help: 'Memory.', samples: [{ value: 1.5 }] },
    { name: 'a_delay_seconds', type: 'histogram', unit: 'seconds', help: 'Delay.', histogram: { buckets: [{ upTo: 1, count: 1 }, { upTo: Infinity, count: 2 }], sum: 3.5, count: 2 } },
    { name: 'a_missing', type: 'gauge', help: 'No samples.', samples: [{ value: null }] },
    { name: 'a_missing_seconds', type: 'histogram', help: 'Not measured.', histogram: null },
  ];
  expect(openMetricsText(families)).toBe([
    '# TYPE a_requests counter', '# HELP a_requests Requests.', 'a_requests_total{place="1"} 5',
    '# TYPE a_memory_bytes gauge', '# UNIT a_memory_bytes bytes', '# HELP a_memory_bytes Memory.', 'a_memory_bytes 1.5',
    '# TYPE a_delay_seconds histogram', '# UNIT a_delay_seconds seconds', '# HELP a_delay_seconds Delay.',
    'a_delay_seconds_bucket{le="1.0"} 1', 'a_delay_seconds_bucket{le="+Inf"} 2', 'a_delay_seconds_count 2', 'a_delay_seconds_sum 3.5',
    '# EOF', '',
  ].join('\n'));
});

test('no text of a label or a help breaks a line, and each is read as it was', () => {
  const nasty = ['"', '\\', '\n', '\\n', '"} 5\n# EOF\n', 'a="b",c="d"', '{}', '', ' ', 'ü 日本 🙂', '\r', '\\"', '$&', '$1'];
  const text = openMetricsText([
    { name: 'nasty', type: 'gauge', help: nasty.join(' '), samples: nasty.map((value, at) => ({ labels: { value, at: String(at) }, value: at })) },
    { name: 'numbers', type: 'gauge', help: '', samples: [NaN, Infinity, -Infinity, 1e21, 1e-9, -0.5, 0].map((value, at) => ({ labels: { at: String(at) }, value })) },
  ]);
  const families = readOpenMetrics(text);
  expect(families.get('nasty')?.samples.map(({ labels }) => labels['value'])).toEqual(nasty);
  expect(families.get('nasty')?.help).toBe(nasty.join(' '));
  expect(families.get('numbers')?.samples.map(({ value }) => value)).toEqual([NaN, Infinity, -Infinity, 1e21, 1e-9, -0.5, 0]);
});

test('all metrics together: the strict reader takes them; a place with two workers has one sample', () => {
  const families = readOpenMetrics(everything());
  const values = (name: string): [string, number][] => (families.get(name)?.samples ?? []).map(({ labels, value }) => [Object.values(labels).join(), value]);
  expect(values('cluster_worker_connections')).toEqual([['1', 4], ['2', 7]]);
  expect(values('cluster_worker_event_loop_delay_seconds')).toEqual([['1', 0.004], ['2', 0.007]]);
  expect(values('cluster_worker_requests')).toEqual([['1', 10], ['2', 20]]);
  expect(values('cluster_worker_moves')).toEqual([['1', 3], ['2', 0]]);
  expect(values('cluster_workers')).toEqual([['starting', 1], ['ready', 1], ['leaving', 1], ['backing off', 0], ['given up', 1]]);
  expect(values('cluster_reloads')).toEqual([['done', 0], ['aborted', 1], ['superseded', 0]]);
  expect(values('cluster_restarts')).toEqual([['', 3]]);
  expect(values('cluster_connections_acknowledged')).toEqual([['', 1]]);
  expect(families.get('cluster_handoff_latency_seconds')?.type).toBe('histogram');
  for (const [name, { help, unit }] of families) {
    expect(help, name).toMatch(/^[A-Z].*\.$/s);
    expect(unit, name).toBe(/_(seconds|bytes|ratio)$/.exec(name)?.[1] ?? null);
  }
});

test('on Node\'s own cluster there are no metrics of connections', () => {
  expect(connectionFamilies(null)).toEqual([]);
});

test('the reader of this test is strict', () => {
  const good = 'a_total{b="c"} 1\n';
  const head = '# TYPE a counter\n';
  expect(readOpenMetrics(`${head}${good}# EOF\n`).size).toBe(1);
  for (const bad of [
    head + good, `${head}${good}# EOF`, `${good}# EOF\n`, `${head}${good}${good}# EOF\n`, `${head}a 1\n# EOF\n`, `${head}a_total{b="c} 1\n# EOF\n`, `${head}a_total -1\n# EOF\n`,
    `${head}a_total 1 \n# EOF\n`, `${head}a_total x\n# EOF\n`, `${head}# UNIT a seconds\n${good}# EOF\n`, `${head}${good}# HELP a late\n# EOF\n`, `${head}\n${good}# EOF\n`,
    `${head}${good}${head}${good}# EOF\n`, `${head}# EOF\n`, '# TYPE h histogram\nh_bucket{le="1.0"} 2\nh_bucket{le="+Inf"} 1\nh_count 1\nh_sum 1\n# EOF\n',
    '# TYPE h histogram\nh_bucket{le="1.0"} 1\nh_count 1\nh_sum 1\n# EOF\n', '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 1\nh_count 1\nh_sum 1\n# EOF\n',
  ]) expect(() => readOpenMetrics(bad), bad).toThrow();
});

describe('promtool of Prometheus', () => {
  const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
  if (!hasPromtool) console.warn('NOT TESTED: promtool is missing, so only our own reader has checked the metrics. Debian: apt-get install prometheus');

  test.runIf(hasPromtool)('check metrics: no complaint', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: inPrometheusFormat(everything()), encoding: 'utf8' });
    expect([status, stdout, stderr]).toEqual([0, '', '']);
  });

  test.runIf(hasPromtool)('its own reader of OpenMetrics takes the text', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'openmetrics-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const read = (text: string): number | null => {
      const file = path.join(directory, 'metrics.txt');
      writeFileSync(file, text);
      return spawnSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', file, path.join(directory, 'data')], { encoding: 'utf8' }).status;
    };
    const text = withTimes(everything(), 1_700_000_000);
    expect(read(text)).toBe(0);
    expect(read(text.replace('# EOF\n', ''))).not.toBe(0);
  });
});

test('a flood of questions takes a twentieth of a CPU: a text is given out again for 20 times as long as it took to make it', () => {
  let [now, looks] = [1_000, 0];
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  onTestFinished(() => void vi.restoreAllMocks());
  const supervisor = { status: () => { looks++; now += 5; return { desired: 1, restarts: looks, workers: [] }; } };
  const reader = new MetricsReader(supervisor as unknown as Supervisor, new EventEmitter() as unknown as Cluster);
  const restarts = (): number | undefined => readOpenMetrics(reader.text()).get('cluster_restarts')?.samples[0]?.value;
  expect(restarts()).toBe(1);
  for (let at = 0; at < 99; at++, now++) expect(restarts()).toBe(1);
  now++;
  expect(restarts()).toBe(2);
  expect(looks).toBe(2);
});

describe('a counter by place', () => {
  test('never goes down: not when a worker is replaced, not while a place has two, not when one counts backwards', () => {
    const totals = new PlaceTotals();
    totals.note(1, 1, 10);
    totals.note(1, 1, 20);
    totals.note(2, 2, 1);
    expect([...totals.totals]).toEqual([[1, 20], [2, 1]]);
    totals.note(5, 1, 3);
    expect(totals.totals.get(1)).toBe(23);
    totals.note(1, 1, 15);
    expect(totals.totals.get(1)).toBe(23);
    totals.end(1);
    totals.end(1);
    expect(totals.totals.get(1)).toBe(23);
    totals.note(5, 1, 4);
    totals.end(5);
    expect([...totals.totals]).toEqual([[1, 24], [2, 1]]);
    totals.end(99);
    expect([...totals.totals]).toEqual([[1, 24], [2, 1]]);
  });

  test('is in the order of the places, in whatever order their workers count and end', () => {
    const totals = new PlaceTotals();
    for (const [worker, place] of [[1, 3], [2, 1], [3, 2]] as const) totals.note(worker, place, 10 * place);
    totals.end(1);
    expect([...totals.totals]).toEqual([[1, 10], [2, 20], [3, 30]]);
  });

  test('the reader forgets a worker that is gone, and keeps what it has counted', () => {
    const ended = vi.spyOn(PlaceTotals.prototype, 'end');
    onTestFinished(() => void vi.restoreAllMocks());
    const supervisor = { status: () => ({ desired: 1, restarts: 0, workers: [] }) };
    const reader = new MetricsReader(supervisor as unknown as Supervisor, new EventEmitter() as unknown as Cluster);
    for (const is of ['leaving', 'gone']) {
      expect(ended).not.toHaveBeenCalled();
      showToObservers(supervisor, ['transition', { worker: 5, place: 1, figures: { requests: 7 }, moved: 2, state: { is } }] as unknown as SupervisorEvent);
    }
    expect(ended.mock.calls).toEqual([[5], [5]]); // Of its requests, and of its moves.
    expect(readOpenMetrics(reader.text()).get('cluster_worker_requests')?.samples).toMatchObject([{ labels: { place: '1' }, value: 7 }]);
    expect(readOpenMetrics(reader.text()).get('cluster_worker_moves')?.samples).toMatchObject([{ labels: { place: '1' }, value: 2 }]);
  });
});
