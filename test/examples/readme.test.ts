/** The programs of the README's chapters on supervision, run as they stand there. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { get } from '../interop/load';
import { Program, dist, root } from '../support/program';
import { groupMembers } from '../main/proc';

/** The program that a chapter begins with, in a file of this package, so that it finds `cluster-internals`. */
function programOf(chapter: string): string {
  const readme = readFileSync(path.join(root, 'README.md'), 'utf8');
  const code = new RegExp(`^## ${chapter}\\n\\n\`\`\`js\\n([^]*?)\`\`\`\\n`, 'm').exec(readme)?.[1];
  expect(code, `${chapter} begins with a program`).toBeDefined();
  mkdirSync(dist('readme'), { recursive: true });
  const file = dist(`readme/${chapter.toLowerCase()}.js`);
  writeFileSync(file, code as string);
  return file;
}

/** Runs it in a group of its own; `body` gets a port that two workers listen on. */
async function running(chapter: string, body: (program: Program, port: number) => Promise<void>): Promise<void> {
  const program = new Program(programOf(chapter), { node: 'setsid', execArgv: [process.execPath, '--require', path.join(__dirname, '../fixtures/tell_port.js')], env: { PORT: '0' } });
  const group = program.child.pid as number;
  try {
    const [, port] = await program.prints(/^port (\d+)[^]*port \d+$/m);
    await body(program, Number(port));
    const { code, signal } = await program.stop();
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(groupMembers(group)).toEqual([]);
  } finally {
    if (groupMembers(group).length > 0) process.kill(-group, 'SIGKILL');
  }
}

test('Reload', async () => {
  await running('Reload', async (program, port) => {
    const before = await get(port);
    program.child.kill('SIGHUP');
    await program.prints(/^reload done $/m);
    expect(await get(port)).not.toBe(before);
    expect(program.output).toMatch(/^worker 1: leaving out of rotation$/m);
  });
});

test('Guard', async () => {
  await running('Guard', async (program, port) => {
    expect(await get(port, '/bug')).toBe('soon');
    await program.prints(/^place \d, worker \d \(\d+\): gone$/m);
    expect(await get(port)).toBe('soon');
    expect(program.output).toMatch(/Error: a bug/);
  });
});
