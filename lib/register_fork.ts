/**
 * Puts our channel into the place of Node's, for a whole unmodified program and the programs that it
 * forks: whatever `child_process.fork` starts, and what `spawn` starts with 'ipc' in its stdio.
 *
 *   node --require cluster-internals/register_fork app.js
 *
 * A child that is another program than this Node gets Node's own wire.
 */
import { loadRole } from '../internal/startup/load_role';

const { exchangeAll, openInheritedChannel } = loadRole();
openInheritedChannel();
exchangeAll();
