/**
 * The load generator, a process of its own. It gets commands in the same way as a server under test
 * (servers/control.js). Started by bench/bench.ts.
 */
import { answerWith, ready } from '../servers/control';
import { heldConnections, keptLoad } from './kept';
import { closedLoad, openLoad } from './modes';
import { tolerantClosed, tolerantOpen } from './tolerant';

answerWith({ closed: closedLoad, open: openLoad, tolerantClosed, tolerantOpen, kept: keptLoad, held: heldConnections });
ready({ pids: [process.pid] });
