// Guards that the tools report only what happened: what did not run is never reported as alike, and a tool that was
// interrupted reports no result and leaves no process and no file behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { compare } from '../support/differential';
import { runScenario } from '../support/scenario_run';
import { staleDeaths } from '../support/deaths';
import { liveChildren, untilNextLook } from '../support/live';
import { Program, root, run, type Ended } from '../support/program';
import { WrongArgument, versionOfNode } from '../support/tool';
import { differs } from '../random/sequences';

const directory = mkdtempSync(path.join(tmpdir(), 'tools-'));
afterAll(() => rmSync(directory, { recursive: true }));

const written = (name: string, text: string, mode = 0o644): string => {
  const file = path.join(directory, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
};
const tool = (file: string, ...args: string[]): Promise<Ended> => run(path.join(root, file), { execArgv: ['--require', 'tsx/cjs'], args });

/** Each tool with an argument that is wrong, and one with which it runs for a while. */
const tools: Record<string, { readonly file: string; readonly wrong: string[]; readonly long: string[] }> = {
  bench: { file: 'bench/run.ts', wrong: ['no-such-row'], long: ['tcp'] },
  conformance: { file: 'test/differential/conformance.ts', wrong: ['--only', 'matches-nothing'], long: ['--jobs', '1'] },
  random: { file: 'test/random/run.ts', wrong: ['--count', 'abc'], long: [] },
  soak: { file: 'test/soak/run.ts', wrong: ['-5'], long: ['10'] },
  storm: { file: 'bench/storm.ts', wrong: ['--seeds', '-1'], long: [] },
  reload: { file: 'bench/reload.ts', wrong: ['--reloads', ''], long: [] },
  supervised: { file: 'bench/supervised.ts', wrong: ['--second', '1'], long: [] },
  shared_state: { file: 'bench/shared_state.ts', wrong: ['--seconds', 'x'], long: ['--seconds', '100'] },
  traffic: { file: 'test/moving/traffic.ts', wrong: ['20000', 'x'], long: [] },
  day: { file: 'test/operate/day.ts', wrong: ['tomorrow'], long: [] },
};
/** More of them: what they start has the same owner as that of the others. */
const others: Record<string, { readonly file: string; readonly wrong: string[] }> = {
  figures: { file: 'test/moving/figures.ts', wrong: ['p98'] },
  upgrades: { file: 'test/upgrade/figures.ts', wrong: ['upgrades', '0'] },
  killed_daemon: { file: 'test/operate/killed_daemon.ts', wrong: ['--all', 'no-such-command'] },
};

describe.concurrent('arguments', () => {
  test.each(Object.entries({ ...tools, ...others }))('%s ends with 2 and one line on a wrong one', async (name, { file, wrong }) => {
    const { code, stdout, stderr } = await tool(file, ...wrong);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(new RegExp(`^${name}: .+\\(--help says more\\)\\n$`));
  });

  test.each(Object.entries({ ...tools, ...others, dev: { file: 'test/support/dev.ts' } }))('%s --help says what it does, how long it takes, and an example, within 100 columns; nothing runs', async (name, { file }) => {
    const { code, stdout, stderr } = await tool(file, '--help');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^(npm run ${name} --|npx tsx ${file}) .*\\n\\n[A-Z]`));
    expect(stdout).toMatch(/^Time {5}\S[^]*\nExample {2}np[mx] /m);
    expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([]);
  });

  test.each([['--judge'], ['--wire'], ['--also', '/tmp/two'], ['--measure', 'node@24'], ['--judge', '--compare', '/tmp/one,/tmp/two']])('conformance %s without --runtime is a wrong argument: all scenarios would be played', async (...given) => {
    const { code, stdout, stderr } = await tool('test/differential/conformance.ts', ...given, '--only', 'ipv6-only');
    expect([code, stdout, stderr]).toEqual([2, '', `conformance: ${given[0]} goes with --runtime: name the runtimes that are judged (--help says more)\n`]);
  });

  test('what is no Node is refused', () => {
    for (const node of ['/no/such/node', '/bin/false', '/bin/true', directory]) expect(() => versionOfNode(node)).toThrow(WrongArgument);
    expect(versionOfNode(process.execPath)).toBe(process.versions.node);
  });
});

describe.concurrent('what a tool writes to', () => {
  test.each(['test/ecosystem/ecosystem.ts', 'test/differential/conformance.ts'])('%s: an --out that is no directory is a wrong argument, before anything runs', async (file) => {
    const out = written(`${path.basename(file)}-out`, '');
    const { code, stdout, stderr } = await tool(file, '--out', out, ...(file.includes('conformance') ? ['--runtime', process.execPath, '--only', 'ipv6-only'] : []));
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(`${out} is no directory that can be written to: EEXIST (--help says more)\n`);
  });

  test('when its reader has gone away it ends as by SIGPIPE, and says nothing', async () => {
    const child = spawn(process.execPath, ['--require', 'tsx/cjs', path.join(root, 'bench/run.ts'), '--list'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (text) => { stderr += String(text); });
    const [code] = await once(child, 'close') as [number];
    expect([code, stderr]).toEqual([128 + constants.signals.SIGPIPE, '']);
  });
});

describe('a run without a trace is no success', () => {
  test.each(['/no/such/node', '/bin/false', '/bin/true'])('%s in the place of Node', async (node) => {
    await expect(differs([['fork']], node)).resolves.toMatchObject({ node: expect.stringMatching(/no end|no trace/), ours: expect.stringMatching(/no end|no trace/) });
    await expect(runScenario(path.join(root, 'test/differential/scenarios/signals.js'), { implementation: 'stock', node })).rejects.toThrow(/ENOENT|left no trace/);
  });

  test('a scenario that throws before it has seen anything, with the recorder or without', async () => {
    const recorder = JSON.stringify(path.join(root, 'test/differential/observe.js'));
    const early = written('early.js', "throw new Error('in the first line');\n");
    const late = written('late.js', `require(${recorder});\nthrow new Error('in the second line');\n`);
    for (const implementation of ['stock', 'ours'] as const) {
      await expect(runScenario(early, { implementation })).rejects.toThrow(/left no trace under .*in the first line/s);
      await expect(runScenario(late, { implementation })).rejects.toThrow(/left no trace under .*in the second line/s);
    }
  });

  test('a scenario in which a process dies of a slip, whatever it has seen before; what dies on purpose says so, and of what', async () => {
    const recorder = JSON.stringify(path.join(root, 'test/differential/observe.js'));
    const program = (how: string, declared = ''): string => `${declared}
      const { see, gone } = require(${recorder});
      const cluster = require('node:cluster');
      if (cluster.isPrimary) { see('main', 'begins'); gone(cluster.fork()); } else { ${how} }`;
    const slips = {
      worker: ["see('self', 'is here'); see.misspelt();", '', /W1 ends by an exception, 'TypeError: see.misspelt is not a function'/],
      rejects: ["(async () => { see('self', 'is here'); await see.misspelt(); })();", '', /W1 ends by an exception, 'TypeError/],
      elsewhere: ['see.misspelt();', '// Dies: P of misspelt', /W1 ends by an exception, 'TypeError/],
      otherwise: ['see.misspelt();', '// Dies: W1 of on purpose', /W1 ends by an exception, 'TypeError/],
      unrecorded: ["require('node:child_process').spawnSync(process.execPath, ['-e', 'misspelt()'], { stdio: 'inherit' }); process.disconnect();", '', /a process ends by an exception that it never recorded/],
    } as const;
    await Promise.all(Object.entries(slips).flatMap(([name, [how, declared, told]]) => (['stock', 'ours'] as const).map((implementation) =>
      expect(runScenario(written(`${name}.js`, program(how, declared)), { implementation })).rejects.toThrow(told))));

    const file = written('declared.js', program("throw new Error('on purpose');", '// Dies: W1 of on purpose\n// Dies on 3, 4: W2 of something else'));
    const { died } = await runScenario(file, { implementation: 'ours' });
    expect([died, staleDeaths(file, died, 3), staleDeaths(file, died, 5)]).toEqual([['W1'], ['W2 of something else'], []]);
  });

  test('a declared end that no longer comes is a difference', async () => {
    const trace = { implementation: 'stock', code: 0, signal: null, stdout: '', stderr: '', traces: new Map(), died: [] } as const;
    expect(compare(trace, { ...trace, died: ['W1'] }, { scenario: 'unhandled-listen-error' })).toEqual([]);
    expect(compare(trace, trace, { scenario: 'unhandled-listen-error' }).map(({ where }) => where)).toEqual(['deaths']);
  });

  test('a Node that says its version and does nothing else', async () => {
    const node = written('node', `#!/bin/sh\n[ "$1" = -p ] && exec ${process.execPath} "$@"\nexit 0\n`, 0o755);
    const { code, stdout } = await tool('test/random/run.ts', '--count', '1', '--node', node);
    expect(code).toBe(1);
    expect(stdout).toMatch(/0 alike, 1 different/);
  });
});

/** Where tsx keeps what it has compiled. */
const compiled = path.join(tmpdir(), `tsx-${process.getuid?.()}`);

/** Every process that has this directory for its temporary files. */
const processesIn = (temporary: string): string[] => readdirSync('/proc').filter((pid) => /^\d+$/.test(pid)).filter((pid) => {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(temporary);
  } catch {
    return false; // It has ended.
  }
});

describe.concurrent('an interrupted tool', () => {
  test.each(Object.entries(tools).flatMap(([name, one], at) => [[name, at % 2 === 0 ? 'SIGINT' : 'SIGTERM', one] as const]))('%s says so, reports nothing, and leaves nothing (%s)', async (name, signal, { file, long }) => {
    const temporary = path.join(directory, name);
    mkdirSync(temporary);
    // What tsx has compiled before; without it the tool begins with the compiler.
    if (existsSync(compiled)) symlinkSync(compiled, path.join(temporary, path.basename(compiled)));
    const program = new Program(path.join(root, file), { execArgv: ['--require', 'tsx/cjs'], args: long, env: { TMPDIR: temporary }, deadline: 50_000 });
    const deadline = performance.now() + 40_000;
    // It has begun when a process that it has started has a child, or there are two of them.
    const begun = (): boolean => {
      const children = liveChildren(program.child.pid as number);
      return children.length > 1 || children.some((pid) => liveChildren(Number(pid)).length > 0);
    };
    while (!begun() && performance.now() < deadline && program.child.exitCode === null) await untilNextLook(20);
    program.child.kill(signal);
    const { code, stdout, stderr } = await program.ended;
    expect([code, program.child.signalCode]).toEqual([signal === 'SIGINT' ? 130 : 143, null]);
    expect(stderr).toContain(`${name}: interrupted by ${signal}, no result\n`);
    expect(stdout).not.toMatch(/ratio|alike|failed|as wanted|operations|\|/);
    expect(processesIn(temporary)).toEqual([]);
    expect(readdirSync(temporary).filter((one) => !one.startsWith('tsx-'))).toEqual([]);
  });
});
