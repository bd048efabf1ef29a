/**
 * The load generator, a process of its own: `node --require tsx/cjs bench/load/main.ts`, spoken with
 * like a server under test (servers/control.js).
 */
import { answerWith, ready } from '../servers/control';
import { closedLoad, openLoad } from './modes';

answerWith({ closed: closedLoad, open: openLoad });
ready({ pids: [process.pid] });
