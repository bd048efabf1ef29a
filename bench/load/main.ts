/**
 * The load generator, a process of its own. It gets commands in the same way as a server under test
 * (servers/control.js). Started by bench/bench.ts.
 */
import { answerWith, ready } from '../servers/control';
import { closedLoad, openLoad } from './modes';

answerWith({ closed: closedLoad, open: openLoad });
ready({ pids: [process.pid] });
