/**
 * Gives our channel, instead of Node's, to each child process of a whole unmodified program: to what
 * `child_process.fork` starts, and to what `spawn` starts with 'ipc' in its stdio.
 *
 *   node --require cluster-internals/register_fork app.js
 *
 * A child that runs another program than this Node gets Node's own channel.
 */
import { loadRole } from '../internal/startup/load_role';

const { exchangeAll, openInheritedChannel } = loadRole();
openInheritedChannel();
exchangeAll();
