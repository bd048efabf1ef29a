/** What the program around a supervisor sees: its own cluster settings, its listeners, its stderr. */
import { closeSync, openSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { fixture } from '../support/children';
import { Program, run } from '../support/program';

const primary = fixture('supervised_primary.js');
const lines = (text: string): unknown[] => text.trim().split('\n').map((line) => JSON.parse(line) as unknown);

/** Fixed fault: each fork set and restored the global settings: three 'setup' events, and `stdio` left behind. */
test.each([['ours', 0], ['stock', 3]])('%s: the settings of the program do not change; %i \'setup\' events for three forks', async (kind, setups) => {
  const { stdout, stderr, code } = await run(primary, { args: ['settings', kind] });
  expect([code, stderr]).toEqual([0, '']);
  expect(lines(stdout)).toEqual([
    { forks: 3, setups, same: true, keys: [] },
    { setups: setups + 1, own: 7, exec: true, args: ['settings', kind], execArgv: [], stdio: null },
  ]);
});

/** Fixed fault: a listener that threw inside a step of the fleet left the rest of that step undone. */
test.each(['ours', 'stock'])('%s: every listener throws and calls commands, and all commands end nevertheless', async (kind) => {
  const { stdout, code } = await run(primary, { args: ['listeners', kind] });
  expect(code).toBe(0);
  expect(lines(stdout)).toEqual([
    ['cluster fork', 'reload', 'stopped', 'transition', 'worker disconnect', 'worker exit', 'worker listening', 'worker message', 'worker online'],
    { outcome: 'done', left: 0, table: 0 },
  ]);
});

/** Fixed fault: the primary read the reason from the worker's stderr, so all of it had to go through the primary. */
test.each(['ours', 'stock'])('%s: the workers inherit stderr, and \'giveup\' has the error nevertheless', async (kind) => {
  const { stdout, stderr, code } = await run(primary, { args: ['words', kind] });
  expect(code, 'the last one was given up').toBe(69);
  expect(lines(stdout)).toEqual([
    ['throws', 'Error: the database is gone'], ['rejects', 'Error: a promise nobody waits for'],
    ['catches', 'Error: caught, and the end'], ['getter', 'an error that has no text'],
  ]);
  expect(stderr.match(/Error: the database is gone/g)).toHaveLength(2);
});

describe('stderr: \'pipe\'', () => {
  test('two workers never share a line, and an unfinished last line gets its newline', async () => {
    const program = new Program(primary, { args: ['pipe'] });
    await program.prints(/^"ready"$/m);
    program.child.kill('SIGHUP');
    await program.prints(/^"printed"\n(.*\n)*"printed"$/m);
    program.child.kill('SIGUSR2');
    const { stderr, code } = await program.ended;
    expect(code).toBe(0);
    const printed = stderr.split('\n').slice(0, -1);
    expect(printed.filter((line) => line === 'the end, without a newline')).toHaveLength(2);
    const records = printed.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as { line: number });
    expect([printed.length, records.length]).toEqual([4_002, 4_000]);
  });

  /** Fixed fault: EPIPE and ENOSPC ended the primary. With `stderr: 'pipe'` the output still takes the way that it took then. */
  test.each(['nobody reads it any more', 'the disk is full'])('%s: the primary and the workers go on', async (how) => {
    const full = how === 'the disk is full' ? openSync('/dev/full', 'a') : null;
    const child = spawn(process.execPath, [primary, 'pipe'], { stdio: ['ignore', 'pipe', full ?? 'pipe'] });
    if (full !== null) closeSync(full);
    const exited = once(child, 'exit');
    child.stderr?.destroy();
    let printed = '';
    let asked = false;
    for await (const text of child.stdout?.setEncoding('utf8') ?? []) {
      printed += String(text);
      if (!asked && printed.includes('"ready"')) asked = child.kill('SIGHUP');
      if (printed.split('"printed"').length === 3) child.kill('SIGUSR2');
    }
    expect(await exited).toEqual([0, null]);
  });
});
