/**
 * The supervisor's agent in a worker. `supervise` makes each worker load this file (`--require`) before the app, so that
 * an app that does nothing special can leave without losing a request.
 *
 * Owns     the Drain over all servers of this worker
 * Used by  worker_settings.ts, which passes its path to `--require`
 * Never    is visible to the app: it adds no 'message' listener, and removes itself from `process.execArgv`
 * Wire     see wire.ts
 * Signals  SIGTERM and SIGINT often reach every process of a group (Ctrl-C, a service manager). Where the app does not
 *          listen to them, a worker that is connected with its primary does not die of them: it asks for a successor,
 *          and leaves when it is told to. If the primary does not answer (it is stopped, or busy), the worker leaves by
 *          itself (successor_requests.ts) and then dies of the signal: at once if the signal comes again, at `leaveMs`
 *          in any case. Without a primary the worker dies of the signal, as always.
 *          SIGHUP, SIGTTIN and SIGTTOU are commands for the primary, and are ignored here (group_signals.ts)
 * Node     `net` and `dgram` call `_getServer` of the node:cluster module whenever a server listens. This file puts its
 *          own function before that one, and so knows each server, on Node's cluster too
 */
import { performance, timers } from '../../builtins';
import { isMainThread } from 'node:worker_threads';
import { ignoreCommandSignals } from './group_signals';
import { SAME_MS } from '../stop_requests';
import { Drain } from './drain';
import { isInspected } from '../debugger';
import { reportLastError } from './last_error';
import { outliveThePrimary } from './orphan';
import { PRIMARY_FIRST_MS, currentAgent, setAgent, type Agent } from './supervised';
import { CanaryTrial } from './trial';
import { epochClock } from '../../clock';
import { movingOf, type MovingWorker } from '../../moving';
import { callApp } from '../app_calls';
import { ListenAddresses } from './listen_addresses';
import { SuccessorRequests } from './successor_requests';
import { ReadyCheck } from './ready_check';
import { Usage } from './usage';
import { MOST_ADDRESSES, SETUP, SUPERVISOR, readSetup, readSupervisorMessage, type AgentMessage, type Setup } from '../wire';

/** The undocumented members of the node:cluster module that are used here. */
interface ClusterModule {
  readonly isWorker: boolean;
  readonly worker?: object;
  _getServer(server: object, query: unknown, answer: (errno: number, handle: object | null, ...rest: unknown[]) => void): void;
}

/** How much later than its primary a worker ends itself, in milliseconds. It only does if the primary could not. */
const AFTER_PRIMARY_MS = 2_000;

function install(cluster: ClusterModule, { trial: isOnTrial, graceMs, leaveMs, patienceMs, move, check }: Setup): void {
  const moving = movingOf(cluster.worker);
  const drain = new Drain({ all: true, moving });
  const usage = new Usage();
  const trial = new CanaryTrial(isOnTrial);
  const send = (message: AgentMessage): boolean => {
    if (!process.connected) return false;
    // The primary may end before it reads this. Nothing can be done about that here, so the error of `send` is dropped.
    process.send?.({ cmd: SUPERVISOR, ...message }, undefined, undefined, () => undefined);
    return true;
  };
  const addresses = new ListenAddresses((all) => send({ act: 'listens', at: all.slice(0, MOST_ADDRESSES) }));
  const ready = check === null ? null : new ReadyCheck(check, (complaint) => send({ act: 'checked', complaint: complaint ?? '' }));
  const successor = new SuccessorRequests(patienceMs, { clock: epochClock, send: (reason) => send({ act: 'suicide', reason }) });
  const agent: Agent = {
    drain,
    retire: (reason) => successor.request(reason),
    get moves() { return move && successor.isAnswered; },
  };
  setAgent(agent);
  if (move) moveBeforeDisconnect(moving, drain, graceMs);
  reportLastError((text) => send({ act: 'last words', text }));
  outliveThePrimary(cluster.worker, drain, leaveMs);

  const getServer = cluster._getServer;
  cluster._getServer = function (this: unknown, server, query, answer) {
    callApp(() => drain.add(server));
    getServer.call(this as ClusterModule, server, query, (errno, handle, ...rest) => {
      if (!errno) callApp(() => {
        trial.listens(server, handle);
        addresses.add(server, query);
        ready?.add(server);
      });
      answer(errno, handle, ...rest);
    });
  };

  drain.on((phase) => {
    if (phase === 'announcing' || phase === 'out of rotation') successor.leaving();
    if (phase === 'out of rotation') send({ act: 'out' });
    if (phase === 'finishing') send({ act: 'finishing', left: drain.left });
    if (phase === 'drained') send({ act: 'drained' });
  });

  process.on('internalMessage' as 'message', (value: unknown) => {
    const message = readSupervisorMessage(value);
    switch (message?.act) {
      case 'ping':
        send({ act: 'pong', seq: message.seq, inspected: isInspected(), connections: drain.left, requests: drain.requests, ...usage.read() });
        return;
      case 'serve':
        trial.end();
        return;
      case 'noted':
        successor.noted();
        return;
      case 'leave':
        drain.leave(message);
        timers.setTimeout(() => process.exit(1), message.delayMs + message.timeoutMs + AFTER_PRIMARY_MS).unref();
        return;
      case undefined:
        return;
      default:
        return message satisfies never;
    }
  });

  for (const signal of ['SIGTERM', 'SIGINT'] as const) handleSignal(signal, agent, successor, { graceMs, leaveMs });
}

/**
 * A worker that is to disconnect, because its app or the program in the primary says so, first lets its connections go as
 * one that is told to leave. Without this its servers would close the idle ones.
 */
function moveBeforeDisconnect(moving: MovingWorker | undefined, drain: Drain, graceMs: number): void {
  moving?.beforeDisconnect((done) => {
    if (drain.phase === 'serving') drain.leave({ delayMs: 0, graceMs, endMs: Infinity, move: true, moveAfterMs: PRIMARY_FIRST_MS });
    if (drain.phase === 'drained' || drain.terms.move !== true) return done();
    drain.on((phase) => { if (phase === 'drained') done(); });
  });
}

/** What the worker does at SIGTERM or SIGINT; see Signals above. */
function handleSignal(signal: 'SIGTERM' | 'SIGINT', agent: Agent, successor: SuccessorRequests, { graceMs, leaveMs }: Pick<Setup, 'graceMs' | 'leaveMs'>): void {
  const { drain } = agent;
  /** Since when the worker leaves by itself, by `performance.now()`. */
  let aloneSince = Infinity;
  const dieOfSignal = (): void => {
    process.removeListener(signal, onSignal);
    // If the app has added a listener since, the signal would not end the process.
    if (process.listenerCount(signal) > 0) process.exit(1);
    process.kill(process.pid, signal);
  };
  const leaveAlone = (): void => {
    aloneSince = performance.now();
    drain.on((phase) => phase === 'drained' && dieOfSignal());
    timers.setTimeout(dieOfSignal, leaveMs);
    drain.leave({ delayMs: 0, graceMs: Math.min(graceMs, leaveMs / 2), endMs: leaveMs, move: agent.moves });
  };
  const onSignal = (): void => {
    if (process.listenerCount(signal) > 1) return; // The app listens too, and decides.
    if (!process.connected || performance.now() - aloneSince > SAME_MS) return dieOfSignal();
    timers.setTimeout(() => {
      if (drain.phase === 'serving' && aloneSince === Infinity && !successor.request(signal, leaveAlone)) dieOfSignal();
    }, PRIMARY_FIRST_MS);
  };
  process.on(signal, onSignal);
}

/** Removes `--require <this file>` from the flags, so that the app, its threads and its children do not get it. */
function removeFromFlags(): void {
  const at = process.execArgv.indexOf(__filename);
  if (at > 0) process.execArgv.splice(at - 1, 2);
}

if (isMainThread && currentAgent() === undefined) {
  const cluster = require('node:cluster') as ClusterModule;
  const setup = readSetup(process.env[SETUP]);
  if (cluster.isWorker && process.connected && setup !== null && process.execArgv.includes(__filename)) {
    ignoreCommandSignals();
    removeFromFlags();
    delete process.env[SETUP];
    install(cluster, setup);
  }
}
