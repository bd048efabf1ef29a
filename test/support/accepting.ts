/** A worker that accepts, in memory: its listening socket, and the event loop that an AcceptPause sees. */
import type { PauseClock, PauseTimer } from '../../internal/child/pause_clock';
import type { ListeningHandle } from '../../internal/native/bindings';
import { FakeConnection } from './cluster_fakes';

/** `setAccepting` calls `readStart` and `readStop` of a handle; libuv does the rest. */
export class FakeListener extends FakeConnection implements ListeningHandle {
  onconnection: ListeningHandle['onconnection'] = null;
  accepting = true;
  stops = 0;

  readStart(): void {
    this.accepting = true;
  }

  readStop(): void {
    this.accepting = false;
    this.stops++;
  }
}

/** Timers and immediates, which run when the test says so. */
export class FakeLoop implements PauseClock {
  readonly now: () => number;
  readonly timers = new Set<{ readonly ms: number; due: number; readonly callback: () => void }>();
  #immediates: (() => void)[] = [];

  constructor(now: () => number) {
    this.now = now;
  }

  every(ms: number, callback: () => void): PauseTimer {
    const timer = { ms, due: this.now() + ms, callback };
    this.timers.add(timer);
    return { hold: () => undefined, stop: () => void this.timers.delete(timer) };
  }

  afterPoll(callback: () => void): void {
    this.#immediates.push(callback);
  }

  /** Runs the timers that are due. */
  runTimers(): void {
    const now = this.now();
    for (const timer of this.timers) {
      if (timer.due > now) continue;
      timer.due = now + timer.ms;
      timer.callback();
    }
  }

  /** Runs what `afterPoll` got until now; what it gets meanwhile runs the next time. */
  runImmediates(): void {
    const immediates = this.#immediates;
    if (immediates.length === 0) return;
    this.#immediates = [];
    for (const callback of immediates) callback();
  }
}
