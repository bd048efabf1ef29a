/**
 * Puts our `fork` into the place of `child_process.fork`, for a whole unmodified program and the
 * programs that it forks:
 *
 *   node --require cluster-internals/register_fork app.js
 */
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { openInheritedChannel } from '../internal/role';
import { fork } from './child_process';

openInheritedChannel();
childProcess.fork = fork as typeof childProcess.fork;
syncBuiltinESMExports();
