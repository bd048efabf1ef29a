/**
 * Turns what goes over a channel of Node's own into the same frames that a channel of ours publishes (trace.ts), so that
 * one recorder serves both.
 *
 * Used by  recorder.ts
 * Uses     native/node_channels.ts
 * Never    throws: what it cannot decode ends the observation of that direction
 */
import { push, shift } from '../builtins';
import type { Decoder } from '../channel/codec';
import { codecFor } from '../channel/framing';
import type { NativeHandle } from '../native/bindings';
import { observeNodesChannel } from '../native/node_channels';
import type { FrameTrace } from '../trace';

/** Calls `frame` for each message over Node's channel of `target`. False if it has none that can be observed. */
export function observeFrames(target: object, channel: string, frame: (trace: FrameTrace) => void): boolean {
  /** The fds that have arrived before their frame. */
  const arrived: number[] = [];
  let decoder: Decoder | null | undefined;
  return observeNodesChannel(target, {
    wrote(data: string | Uint8Array, handle: NativeHandle | null): void {
      const trace: FrameTrace = { channel, dialect: 'node', way: 'sent', frame: data };
      if (handle !== null) trace.fd = handle.fd ?? -1;
      frame(trace);
    },
    read(chunk: Uint8Array, handle: NativeHandle | null): void {
      if (handle !== null) push(arrived, handle.fd ?? -1);
      if (decoder === null) return;
      // A message in the form `advanced` begins with its length, which is less than 2^24. No JSON begins with a zero byte.
      decoder ??= codecFor(chunk[0] === 0 ? 'advanced' : 'json').decoder();
      try {
        decoder.push(chunk, (message) => {
          const trace: FrameTrace = { channel, dialect: 'node', way: 'received', message, tag: 'plain' };
          const isEnvelope = typeof message === 'object' && message !== null && (message as { cmd?: unknown }).cmd === 'NODE_HANDLE';
          const fd = isEnvelope ? shift(arrived) : undefined;
          if (fd !== undefined) trace.fd = fd;
          frame(trace);
        });
      } catch {
        decoder = null; // These bytes are no messages. Node will say so.
      }
    },
  });
}
