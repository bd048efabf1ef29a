/**
 * The bytes of a message on the wire, as far as the recording has them.
 *
 * Used by  pcapng.ts
 */
import type { MessageEvent } from '../format';

/** The bytes; empty if the content was not recorded. Where fields are redacted, the bytes show that, and have another length. */
export function wireOf({ wire, fields, encoding, tag }: MessageEvent): Buffer {
  if (wire !== undefined) return Buffer.from(wire, 'base64');
  if (fields === null || encoding === 'advanced') return Buffer.alloc(0);
  return Buffer.from(`${tag}${JSON.stringify(fields)}\n`);
}
