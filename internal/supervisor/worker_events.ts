/**
 * Subscribes to the events of a worker in such a way that no listener of the program can keep them from us.
 *
 * The cluster turns events of the ChildProcess into events of the Worker ('exit' into 'exit', an internal message into
 * 'online' or 'listening', …). If a listener of the program throws, Node calls none of the listeners behind it, and the
 * cluster may not even emit the event of the Worker. So our listeners stand before the program's (they are prepended
 * when the worker is forked), and each event is listened to at both objects.
 *
 * Owns     the listeners on the Worker and its ChildProcess, as long as these objects live
 * Used by  worker_process.ts
 * Keeps    each event of the process reaches `handlers`, once or twice: handlers must not mind a second call
 */
import type { Worker } from 'node:cluster';
import { readAgentMessage, readClusterNews, type AgentMessage } from './wire';

/** What is called for each event. */
export interface WorkerEventHandlers {
  online(): void;
  /** It listens at one more address. */
  listening(): void;
  /** The app sent a message. */
  message(message: unknown): void;
  /** The agent sent a message. Called once for each. */
  agentMessage(message: AgentMessage): void;
  disconnected(): void;
  exited(code: number | null, signal: NodeJS.Signals | null): void;
  /** No process could be started, so there is no 'exit'. */
  notStarted(error: Error): void;
}

/** Calls `handlers` from now on. Call it in the turn in which the worker was forked, before the program can add listeners. */
export function listenToWorker(worker: Worker, handlers: WorkerEventHandlers): void {
  worker.prependListener('online', () => handlers.online());
  worker.prependListener('listening', () => handlers.listening());
  worker.prependListener('message', (message: unknown) => handlers.message(message));
  worker.prependListener('disconnect', () => handlers.disconnected());
  worker.prependListener('exit', (code, signal) => handlers.exited(code, signal as NodeJS.Signals | null));
  listenToChild(worker.process, handlers);
  worker.prependListener('error', (error: Error) => {
    if (worker.process.pid === undefined) handlers.notStarted(error);
  });
}

/**
 * Our listeners on the ChildProcess run before the cluster's own. So they wait for a tick: where nothing throws, the
 * handlers are called by the event of the Worker, when the cluster has handled the event, and this second call does nothing.
 */
function listenToChild(child: Worker['process'], handlers: WorkerEventHandlers): void {
  child.prependListener('internalMessage' as 'message', (value: unknown) => {
    const message = readAgentMessage(value);
    if (message !== null) handlers.agentMessage(message);
    const news = readClusterNews(value);
    if (news === 'online') process.nextTick(() => handlers.online());
    if (news === 'listening') process.nextTick(() => handlers.listening());
  });
  child.prependListener('message', (message: unknown) => process.nextTick(() => handlers.message(message)));
  child.prependListener('disconnect', () => process.nextTick(() => handlers.disconnected()));
  child.prependListener('exit', (code, signal) => process.nextTick(() => handlers.exited(code, signal)));
}
