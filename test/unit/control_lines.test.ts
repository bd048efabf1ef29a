/** The bytes of the control protocol: lines that come in any pieces, and lines that are no messages. */
import { describe, expect, test } from 'vitest';
import { LineReader } from '../../internal/operate/control/lines';
import * as protocol from '../../internal/operate/control/protocol';

const linesOf = (reader: LineReader, ...chunks: Buffer[]): string[] => chunks.flatMap((chunk) => Array.from(reader.push(chunk), String));
const { write } = protocol;
const readClientLine = (line: string): ReturnType<typeof protocol.readClientLine> => protocol.readClientLine(Buffer.from(line));
const readHello = (line: string): ReturnType<typeof protocol.readHello> => protocol.readHello(Buffer.from(line));
const readReply = (line: string): ReturnType<typeof protocol.readReply> => protocol.readReply(Buffer.from(line));

describe('LineReader', () => {
  test('lines are the same in whatever pieces they come, also through the middle of a character', () => {
    const text = Buffer.from('{"a":1}\n\nä€𝄞\n{"long":"' + 'x'.repeat(9_000) + '"}\nrest');
    const whole = linesOf(new LineReader(20_000), text);
    expect(whole.map((line) => line.length)).toEqual([7, 0, 4, 9_011]);
    for (const size of [1, 2, 3, 7, 4096, 5000]) {
      const chunks = Array.from({ length: Math.ceil(text.length / size) }, (_, at) => text.subarray(at * size, (at + 1) * size));
      expect(linesOf(new LineReader(20_000), ...chunks)).toEqual(whole);
    }
  });

  test('a line of exactly the longest length passes; one byte more ends the reader, and nothing comes afterwards', () => {
    const reader = new LineReader(10);
    expect(linesOf(reader, Buffer.from('0123456789\n01234'), Buffer.from('56789\nnext\n'))).toEqual(['0123456789', '0123456789', 'next']);
    expect(linesOf(reader, Buffer.from('ok\n0123456789'))).toEqual(['ok']);
    expect(linesOf(reader, Buffer.from('a\nlost\n'), Buffer.from('lost\n'))).toEqual([]);
    expect(reader.isTooLong).toBe(true);
  });

  test('1 GB without a line break keeps nothing, and the 1 MiB before it no more than twice its size', () => {
    const chunk = Buffer.alloc(65_536, 'x');
    const reader = new LineReader(1 << 20);
    const before = process.memoryUsage().arrayBuffers;
    for (let at = 0; at < 16; at++) expect(linesOf(reader, chunk)).toEqual([]);
    expect(reader.isTooLong).toBe(false);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan((4 << 20) + 1); // The buffer, and those it has outgrown.
    for (let at = 16; at < 16_384; at++) reader.push(chunk).next();
    expect(reader.isTooLong).toBe(true);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan((4 << 20) + 1);
  });

  test('a line that comes byte by byte is kept in one buffer, not in a million', () => {
    const reader = new LineReader(1 << 20);
    const byte = Buffer.from('x');
    const before = process.memoryUsage();
    for (let at = 0; at < 1 << 20; at++) reader.push(byte).next();
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(8 << 20);
    expect(linesOf(reader, Buffer.from('\n')).map((line) => line.length)).toEqual([1 << 20]);
  });

  test('a reader that the caller leaves in the middle of a chunk gives out nothing more of it', () => {
    const reader = new LineReader(100);
    for (const line of reader.push(Buffer.from('first\nsecond\n'))) {
      expect(String(line)).toBe('first');
      break;
    }
  });
});

/** Lines that nobody should send. */
const nonsense = ['', ' ', 'x', 'null', '1', '"text"', '[]', '[{"id":1}]', '{', '{}', '\0', '{"id":1', '[[[['.repeat(10_000), '{"id":null}', 'ÿþ', '{"id":1}{"id":2}'];

describe('what is read from the wire', () => {
  test('a line that is no request is null, and never throws', () => {
    for (const line of nonsense) expect([line, readClientLine(line)]).toEqual([line, null]);
    for (const id of ['"1"', '1.5', '-1', '1e300', 'true', '{}', '9007199254740993']) expect(readClientLine(`{"id":${id},"method":"status"}`)).toBeNull();
    for (const method of ['1', 'null', '["status"]', '{}']) expect(readClientLine(`{"id":1,"method":${method}}`)).toBeNull();
    for (const params of ['null', '[]', '"x"', '1', 'true']) expect(readClientLine(`{"id":1,"method":"status","params":${params}}`)).toBeNull();
    for (const version of ['"1"', '{}', 'true', '[1]']) expect(readClientLine(`{"id":1,"method":"status","version":${version}}`)).toBeNull();
    for (const cancel of ['null', '"1"', '-1', '1.5', '{}']) expect(readClientLine(`{"cancel":${cancel},"id":1,"method":"status"}`)).toBeNull();
  });

  test('a request and a cancel are read', () => {
    expect(readClientLine('{"id":0,"method":"status"}')).toEqual({ id: 0, method: 'status', params: {}, version: null });
    expect(readClientLine('{"id":1,"version":7,"method":"x","params":{"a":[1]},"more":1}')).toEqual({ id: 1, method: 'x', params: { a: [1] }, version: 7 });
    expect(readClientLine('{"cancel":3}')).toEqual({ cancel: 3 });
  });

  test('a line with so many parts that parsing it would keep the primary busy is no request; texts have no parts', () => {
    const line = (a: string): string => `{"id":1,"method":"x","params":{"a":${a}}}`;
    expect(readClientLine(line(`[${'1,'.repeat(20_000)}1]`))).toBeNull();
    expect(readClientLine(line('['.repeat(9_990) + ']'.repeat(9_990)))).not.toBeNull();
    expect(readClientLine(line('['.repeat(20_000) + ']'.repeat(20_000)))).toBeNull();
    for (const text of ['[,{'.repeat(10_000), '"'.repeat(20_000), '\\'.repeat(20_000), '\\",[{'.repeat(10_000)]) expect(readClientLine(line(JSON.stringify(text)))).toHaveProperty('params.a', text);
  });

  test('a key such as __proto__ stays a key, and what stands on Object.prototype is no field', () => {
    const request = readClientLine('{"id":1,"method":"x","params":{"__proto__":{"polluted":true}}}');
    expect(Object.hasOwn(request !== null && 'params' in request ? request.params : {}, '__proto__')).toBe(true);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    Object.defineProperty(Object.prototype, 'cancel', { value: 1, configurable: true });
    Object.defineProperty(Object.prototype, 'params', { value: 'x', configurable: true });
    try {
      expect(readClientLine('{"id":1,"method":"x"}')).toEqual({ id: 1, method: 'x', params: {}, version: null });
    } finally {
      delete (Object.prototype as { cancel?: unknown }).cancel;
      delete (Object.prototype as { params?: unknown }).params;
    }
  });

  test('what a server writes a client reads, and nothing else', () => {
    const hello = { kind: 'app', name: 'web', pid: 7, startedBy: 'run' } as const;
    expect(readHello(write.hello(hello))).toEqual({ ...hello, version: 1 });
    expect(readReply(write.progress(1, { line: 'a\nb' }))).toEqual({ id: 1, is: 'progress', value: { line: 'a\nb' } });
    expect(readReply(write.result(1, undefined))).toEqual({ id: 1, is: 'result', value: null });
    expect(readReply(write.failure(1, { code: 'E', message: 'm', report: [] }))).toEqual({ id: 1, is: 'failure', error: { code: 'E', message: 'm', report: [] } });
    expect(readReply(write.failure(null, { code: 'E', message: 'm' }))).toEqual({ id: null, is: 'failure', error: { code: 'E', message: 'm' } });
    for (const line of nonsense) expect([line, readHello(line), readReply(line)]).toEqual([line, null, null]);
    for (const line of ['{"hello":"x","version":1}', '{"hello":"cluster-internals","version":"1"}', write.hello(hello).replace('"app"', '"worker"')]) expect(readHello(line)).toBeNull();
    for (const line of ['{"id":1,"error":{}}', '{"id":1,"error":"x"}', '{"id":1}', '{"error":{"code":1,"message":"m"}}', '{"progress":1}']) expect(readReply(line)).toBeNull();
  });
});
