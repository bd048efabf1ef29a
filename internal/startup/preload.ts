/**
 * The first code of ours in each process that `channel/spawn.ts` started. It opens the inherited channel, gives
 * `process` its `send` and `disconnect`, and, if the process is a cluster worker, takes over `node:cluster`. It runs
 * before the app, as `node --require …/entry.bundle.js app.js`, so it is synchronous and in CommonJS.
 *
 * Used by  entry.ts, by its path; role.ts, in a program that needs the channel even earlier; bundle.ts, at build time
 * Owns     nothing once it has run; the channel belongs to `process`
 * Never    leaves a trace in `process.execArgv` or `process.env`
 * Node     prepares the channel and the cluster in its bootstrap. Because of NODE_UNIQUE_ID it also prepares its own
 *          worker role, without a channel to use: `releaseFromNode` takes that role away.
 */
import { attachChannel } from '../channel/attach_channel';
import { removePreload, takeInheritedChannel } from '../channel/bootstrap_env';
import { openPipe } from '../native/pipes';
import { takeOver, nodeCluster } from '../node_cluster';

removePreload(process.env, process.execArgv, __filename.replace(/preload\.js$/, 'entry.bundle.js'));

const inherited = takeInheritedChannel(process.env);
if (inherited !== null) {
  const { fd, serialization } = inherited;
  const node = process.argv[1] ? findWorker() : null;
  const child = node === null ? null : require('../child/index') as typeof import('../child/index');
  // Node's own role ends before `process` can send, so it never sends on our channel.
  child?.releaseFromNode();
  attachChannel(process, openPipe(fd), { serialization, dialect: 'pipelined', name: node === null ? 'child' : `W${node.id}` }, 'child');
  if (child !== null && node !== null) takeOver((cluster) => child.installWorker(cluster, { id: node.id, announced: false }));
}

/** The worker that Node's bootstrap prepared because of NODE_UNIQUE_ID; null in a plain forked child. */
function findWorker(): { id: number } | null {
  const cluster = nodeCluster();
  return cluster.isWorker ? cluster.worker ?? null : null;
}
