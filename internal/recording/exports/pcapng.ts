/**
 * A recording as a capture file for Wireshark and tshark: one packet for each message, with nanosecond times. The link
 * type is private (USER0): before the bytes of the wire each packet has a head of ours, which names the two processes.
 * cluster_internals.lua, beside this directory, shows both:
 *
 *   tshark -X lua_script:internal/recording/cluster_internals.lua -r recording.pcapng -V
 *
 * The head (numbers are big-endian):
 *   1 byte   version: 1
 *   1 byte   flags: 1 pipelined, 2 encoding `advanced`, 4 an fd goes with it, 8 hidden (no bytes), 16 redacted, 32 derived
 *   4 bytes  pid of the sender, 4 bytes pid of the receiver (0: not known)
 *   4 bytes  fd of the sender (signed)
 *   4 bytes  length on the wire (0: not known)
 *   4 texts  sender, receiver, name of the message, connection: each a byte of length, and UTF-8
 *
 * The format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html
 *
 * Used by  index.ts
 * Keeps    every block has the length that it says, at both of its ends
 */
import type { MessageEvent, RecordingHeader } from '../format';
import type { Recording } from '../read';
import { wireOf } from './wire';
import { OncePerMessage, printable } from './words';

const SECTION = 0x0a0d0d0a;
const INTERFACE = 1;
const PACKET = 6;
const BYTE_ORDER = 0x1a2b3c4d;
const USER0 = 147;
const NANOSECONDS = 9;
const INTERFACE_NAME = 'channels of a cluster';
/** Options of blocks. */
const COMMENT = 1;
const NAME = 2;
const TIME_RESOLUTION = 9;

/** The blocks of the file. */
export async function* toPcapng({ header, events }: Recording): AsyncGenerator<Buffer> {
  const epoch = BigInt(Date.parse(header.started) || 0) * 1_000_000n;
  yield block(SECTION, Buffer.concat([u32(BYTE_ORDER), u16(1), u16(0), Buffer.alloc(8, 0xff), option(COMMENT, Buffer.from(printable(header.program.join(' '))))]));
  yield block(INTERFACE, Buffer.concat([u16(USER0), u16(0), u32(0), option(NAME, Buffer.from(INTERFACE_NAME)), option(TIME_RESOLUTION, Buffer.from([NANOSECONDS]))]));
  const messages = new OncePerMessage();
  const pids = new Map(header.processes.map(({ name, pid }) => [name, pid]));
  for await (const event of events) {
    if (event.kind === 'message' && messages.picks(event)) yield packet(event, epoch, header, pids);
  }
}

function packet(event: MessageEvent, epoch: bigint, header: RecordingHeader, pids: ReadonlyMap<string, number>): Buffer {
  const wire = wireOf(event);
  const head = headOf(event, wire, pids);
  const data = Buffer.concat([head, wire]);
  const time = epoch + BigInt(Math.trunc(event.at));
  const original = head.length + Math.max(wire.length, event.bytes ?? 0);
  const comment = event.source === undefined ? `recorded on Node ${printable(header.node)}` : `${event.way} by ${printable(event.source.file)}:${event.source.line}`;
  return block(PACKET, Buffer.concat([
    u32(0), u32(Number(time >> 32n)), u32(Number(time & 0xffffffffn)), u32(data.length), u32(original), padded(data), option(COMMENT, Buffer.from(comment)),
  ]));
}

function headOf(event: MessageEvent, wire: Buffer, pids: ReadonlyMap<string, number>): Buffer {
  const flags = (event.dialect === 'pipelined' ? 1 : 0) | (event.encoding === 'advanced' ? 2 : 0) | (event.fd === undefined ? 0 : 4)
    | (wire.length === 0 ? 8 : 0) | (event.redacted === undefined ? 0 : 16) | (event.derived === true ? 32 : 0);
  const numbers = Buffer.alloc(18);
  numbers.writeUInt8(1, 0);
  numbers.writeUInt8(flags, 1);
  numbers.writeUInt32BE((pids.get(event.from) ?? 0) >>> 0, 2);
  numbers.writeUInt32BE((pids.get(event.to) ?? 0) >>> 0, 6);
  numbers.writeInt32BE((event.fd ?? -1) | 0, 10);
  numbers.writeUInt32BE((event.bytes ?? 0) >>> 0, 14);
  const act = event.carries === undefined ? event.act : `${event.act} [${event.carries.act}]`;
  return Buffer.concat([numbers, ...[event.from, event.to, act, event.connections?.join(' ') ?? event.connection ?? ''].map(shortText)]);
}

function shortText(text: string): Buffer {
  const bytes = Buffer.from(printable(text, 60)).subarray(0, 255);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Blocks and options are padded to 4 bytes. */
const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

const option = (code: number, value: Buffer): Buffer => Buffer.concat([u16(code), u16(value.length), padded(value)]);

/** A block; its options end with option 0. */
function block(type: number, body: Buffer): Buffer {
  const length = u32(12 + body.length + 4);
  return Buffer.concat([u32(type), length, body, u32(0), length]);
}
