/** Plays faults with real processes, and says what is wrong with what became of everybody; null if nothing is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { lives } from '../soak/proc';
import { Program, root } from '../support/program';
import { nameOf, triggerOf, type Fault } from './messages';

interface Seen {
  readonly fired: boolean;
  readonly told: unknown[];
  readonly outcomes: Record<string, number>;
  readonly twice: number;
  readonly fds: number;
  readonly table: number;
}

/** Faults of workers, one after the other in one primary. */
export async function playWorkerFaults(faults: readonly Fault[]): Promise<string[]> {
  return withProgram(faults, async (program) => {
    const { code, signal, stdout, stderr } = await program.ended;
    const seen = stdout.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Seen);
    const wrong = faults.flatMap((fault, at) => whatIsWrong(seen[at]).map((what) => `${nameOf(fault)}: ${what}`));
    // What workers write there is theirs: one whose channel was closed under it says so and ends.
    if (code !== 0 || signal !== null) wrong.push(`the primary ended with ${signal ?? code}: ${stderr}`);
    return wrong;
  });
}

function whatIsWrong(seen: Seen | undefined): string[] {
  if (seen === undefined) return ['not played: the primary had ended'];
  const { fired, told, outcomes, twice, fds, table } = seen;
  const { served = 0, reset: _reset, ...others } = outcomes;
  return [
    ...(fired ? [] : ['the message never came']),
    ...(told.length === 2 ? [] : [`of its ends only ${JSON.stringify(told)} was told`]),
    ...(Object.keys(others).length === 0 ? [] : [`clients: ${JSON.stringify(outcomes)}`]),
    ...(served >= 6 ? [] : [`after its end not everybody was served: ${JSON.stringify(outcomes)}`]),
    ...(twice === 0 ? [] : [`${twice} connections were served twice`]),
    ...(fds <= 0 ? [] : [`${fds} fds are left`]),
    ...(table === 1 ? [] : [`${table} workers are left in the table`]),
  ];
}

/** A fault that ends the primary: its workers end by themselves (what they say of it is not looked at: `write EPIPE`, as under Node). */
export async function playPrimaryFault(fault: Fault): Promise<string[]> {
  return withProgram([fault], async (program) => {
    const { code, signal, stdout } = await program.ended;
    const wrong: string[] = [];
    if (fault.action === 'kill' ? signal !== 'SIGKILL' : code !== 3) wrong.push(`it ended with ${signal ?? code}: ${stdout}`);
    const workers = [...stdout.matchAll(/^fork (\d+)$/gm)].map(([, pid]) => Number(pid));
    if (workers.length < 2) wrong.push(`not two workers: ${stdout}`);
    const end = performance.now() + 30_000;
    while (workers.some(lives) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 2));
    for (const pid of workers.filter(lives)) {
      wrong.push(`worker ${pid} outlives its primary`);
      process.kill(pid, 'SIGKILL');
    }
    return wrong.map((what) => `${nameOf(fault)}: ${what}`);
  });
}

async function withProgram(faults: readonly Fault[], body: (program: Program) => Promise<string[]>): Promise<string[]> {
  const directory = mkdtempSync(path.join(tmpdir(), 'cluster-boundary-'));
  const program = new Program(path.join(root, 'test/boundary/program.js'), {
    args: [JSON.stringify(faults.map((fault) => ({ ...fault, trigger: fault.as === undefined ? triggerOf(fault.message.name) : fault.as === 'giver' ? 'give' : 'take' })))],
    env: { RECORD: path.join(directory, 'served') }, deadline: 30_000 + 5000 * faults.length,
  });
  try {
    return await body(program);
  } catch (error) {
    return [String(error)];
  } finally {
    await program.stop('SIGKILL').catch(() => undefined);
    rmSync(directory, { recursive: true, force: true });
  }
}
