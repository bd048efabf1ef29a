/**
 * What a net.Server holds in a worker under round robin, where Node would hold a listening socket.
 * It listens to nothing: the primary accepts, and `child/index.ts` calls `onconnection` with each
 * connection that is handed to this worker.
 *
 * Owns     a timer that holds the event loop while the server is ref'ed, since no fd does
 * Used by  child/index.ts; `net` calls its methods
 * Never    has an fd, so it can not be sent to another process (D8)
 * States   open ── close() ──► closed; close() again does nothing
 * Node     rr() in lib/internal/cluster/child.js
 */
import { NativeObject, timers } from '../builtins';
import type { ListeningHandle, NativeHandle } from '../native/bindings';
import type { SocketName } from '../messages';

/** The longest delay that a timer takes: about 25 days. */
const LONGEST = 2 ** 31 - 1;

/** The handle of a server under round robin. */
export class FauxHandle implements ListeningHandle {
  /** Set by `net` when the server listens. */
  onconnection: ListeningHandle['onconnection'] = null;
  /** Only where the primary told a name: `net` looks whether the method is there. */
  getsockname?: (out: object) => number;
  readonly #closed: () => void;
  #open = true;
  #hold: NodeJS.Timeout | undefined;

  /** `sockname`: what the primary bound. `closed` is called once, when the server lets go. */
  constructor(sockname: SocketName | undefined, closed: () => void) {
    this.#closed = closed;
    if (sockname !== undefined) {
      this.getsockname = (out) => {
        if (this.#open) NativeObject.assign(out, sockname);
        return 0;
      };
    }
    this.ref();
  }

  /** `net` asks to listen; the primary does already. */
  listen(_backlog?: number): number {
    return 0;
  }

  ref(): void {
    if (this.#open) this.#hold ??= timers.setInterval(() => {}, LONGEST);
  }

  unref(): void {
    timers.clearInterval(this.#hold);
    this.#hold = undefined;
  }

  /** `closed` is called once this has happened, which is at once. */
  close(closed?: () => void): void {
    if (this.#open) {
      this.unref();
      this.#open = false;
      this.#closed();
    }
    closed?.();
  }

  /** Gives the server a connection, as a listening socket would. The handle is transferred to it. */
  connection(handle: NativeHandle): void {
    if (this.onconnection === null) handle.close();
    else this.onconnection(0, handle);
  }
}
