/**
 * The first code in a process that `channel/spawn.ts` started: opens the inherited channel, equips
 * `process` with it, and takes the seat if the process is a cluster worker. It runs as
 * `node --require preload.js app.js`, so it is synchronous and in CommonJS.
 *
 * Owns     nothing afterwards; the channel belongs to `process`
 * Never    leaves a trace in `process.execArgv` or `process.env`
 * Node     prepares the channel and the cluster in its bootstrap. NODE_UNIQUE_ID makes it prepare
 *          its own worker role too, without a channel to speak on: `releaseFromNode` takes that away.
 */
import { equip } from '../channel/attach_channel';
import { removePreload, takeInheritedChannel } from '../channel/bootstrap_env';
import { openPipe } from '../native/pipes';
import { takeOver, nodeCluster } from '../node_cluster';

removePreload(process.env, process.execArgv, __filename.replace(/preload\.js$/, 'entry.bundle.js'));

const inherited = takeInheritedChannel(process.env);
if (inherited !== null) {
  const { fd, serialization } = inherited;
  const node = process.argv[1] ? findWorker() : null;
  // Node's own role is let go before `process` can speak, so that it never speaks on our channel.
  if (node !== null) require('../child/index').releaseFromNode();
  equip(process, openPipe(fd), { serialization, dialect: 'pipelined', name: node === null ? 'child' : `W${node.id}` }, 'child');
  if (node !== null) {
    const { installWorker } = require('../child/index') as typeof import('../child/index');
    takeOver((cluster) => installWorker(cluster, { id: node.id, announced: false }));
  }
}

/** The worker that Node's bootstrap set up because of NODE_UNIQUE_ID; null in a plain forked child. */
function findWorker(): { id: number } | null {
  const cluster = nodeCluster();
  return cluster.isWorker ? cluster.worker ?? null : null;
}
