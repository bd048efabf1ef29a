/**
 * Runs a program and shows what its cluster does while it runs: records it as `record` does, serves the page, follows the
 * recording, and lets the page's buttons act on the program.
 *
 * Owns     the server of the page, the agents, the recording of the program; all are given back when the program ends
 * Used by  operate/cli/watch.ts
 * Uses     follow.ts, server.ts, agents.ts, actions.ts, recording/record.ts
 * Never    ends the program: the program's end ends this
 */
import path from 'node:path';
import { record, type Recorded, type RecordOptions } from '../../recording/record';
import { makePage } from '../page';
import { Sources } from '../sources';
import { labelOf } from '../view';
import { Actions } from './actions';
import { Agents } from './agents';
import { follow } from './follow';
import { LiveServer } from './server';

/** How `watch` runs a program. */
export interface WatchOptions extends RecordOptions {
  /** The port of the page, on 127.0.0.1; 0: a free one. */
  readonly port: number;
}

/**
 * Runs the program to its end. `opened` gets the URL of the page before the program starts. Rejects as `record` does, and
 * with ERR_PAGE_PORT.
 */
export async function watch({ port, ...options }: WatchOptions, opened: (url: string) => void): Promise<Recorded> {
  const agents = new Agents();
  const actions = new Actions(agents);
  const sources = new Sources();
  const title = path.basename(options.program[0] ?? '');
  const header = { stock: options.stock === true, program: options.program, node: process.version };
  const server = new LiveServer({
    port, act: (order) => actions.act(order),
    page: (token) => makePage({ title, sources: {}, scenes: [{ key: 'recording', tracks: [{ label: labelOf(header), header, events: [], notes: [] }] }], live: { token } }),
  });
  try {
    await server.listen();
    await agents.listen();
    const following = follow(`${path.resolve(options.file)}.parts`, (event) => {
      const source = sources.add(event);
      if (source !== null) server.send('source', source);
      actions.seen(event);
      server.send('recorded', event);
    }, () => server.send('ended', 'the recording has become too long to be followed; the program goes on'));
    try {
      opened(server.url);
      const recorded = await record({ ...options, env: agents.environment(process.env), beforeMerge: () => following.finish() });
      server.send('ended', `exit code ${recorded.exitCode}`);
      return recorded;
    } finally {
      following.close();
    }
  } finally {
    agents.close();
    server.close();
  }
}
