/**
 * The forms into which a recording can be exported. To add one: a file with a function like `toText`, and a row here.
 *
 * Used by  operate/cli/export.ts
 */
import type { Recording } from '../read';
import { toMermaid } from './mermaid';
import { toPcapng } from './pcapng';
import { toPerfetto } from './perfetto';
import { toText } from './text';

/** Makes the pieces of the output, in order. It reads the recording as a stream. */
export type Export = (recording: Recording) => AsyncIterable<string | Buffer>;

/** Each form by its name. */
export const EXPORTS = { mermaid: toMermaid, perfetto: toPerfetto, pcapng: toPcapng, text: toText } satisfies Readonly<Record<string, Export>>;
