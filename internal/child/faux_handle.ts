/**
 * The handle of a net.Server in a worker under round robin, in the place of a listening socket. It listens
 * to nothing: the primary accepts, and this handle calls the server's `onconnection` for each connection
 * that is handed to this worker.
 *
 * Owns     a timer that keeps the event loop alive while the server is ref'ed, since there is no fd to do it
 * Used by  listening.ts; `net` calls its methods
 * Never    has an fd, so it cannot be sent to another process (D8)
 * States   open ── close() ──► closed; close() again does nothing
 * Node     rr() in lib/internal/cluster/child.js
 */
import { NativeObject, timers } from '../builtins';
import type { ListeningHandle, NativeHandle } from '../native/bindings';
import type { SocketName } from '../messages';

/** The longest delay of a timer, in milliseconds: about 25 days. */
const LONGEST = 2 ** 31 - 1;

/** The handle of a server under round robin. */
export class FauxHandle implements ListeningHandle {
  /** Set by `net` when the server listens. */
  onconnection: ListeningHandle['onconnection'] = null;
  /** Only if the primary has sent an address: `net` tests whether the method exists. */
  getsockname?: (out: object) => number;
  readonly #onClose: () => void;
  #open = true;
  #hold: NodeJS.Timeout | undefined;

  /** `sockname`: the address that the primary bound. `onClose` is called once, when the server closes the handle. */
  constructor(sockname: SocketName | undefined, onClose: () => void) {
    this.#onClose = onClose;
    if (sockname !== undefined) {
      this.getsockname = (out) => {
        if (this.#open) NativeObject.assign(out, sockname);
        return 0;
      };
    }
    this.ref();
  }

  /** Called by `net`; the primary already listens. */
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

  /** Closes at once, and then calls `closed`. */
  close(closed?: () => void): void {
    if (this.#open) {
      this.unref();
      this.#open = false;
      this.#onClose();
    }
    closed?.();
  }

  /** Gives the server a connection, as a listening socket would. `handle` is transferred to the server. */
  connection(handle: NativeHandle): void {
    if (this.onconnection === null) handle.close();
    else this.onconnection(0, handle);
  }
}
