/**
 * A recording as lines for eyes and for grep: one for each event.
 *
 * Used by  index.ts
 */
import type { RecordedEvent, RecordingHeader } from '../format';
import type { Recording } from '../read';
import { messageText, printable, stateText } from './words';

/** Pieces of this many characters are written together. */
const PIECE = 65_536;

/** The lines of a recording. */
export async function* toText({ header, events }: Recording): AsyncGenerator<string> {
  let text = headText(header);
  const width = Math.max(2, ...header.processes.map(({ name }) => name.length));
  for await (const event of events) {
    text += `${(event.at / 1e6).toFixed(3).padStart(12)} ms  ${printable(event.name).padEnd(width)}  ${lineOf(event)}\n`;
    if (text.length < PIECE) continue;
    yield text;
    text = '';
  }
  yield text;
}

function headText({ node, stock, started, program, processes, cannotShow, cutOff }: RecordingHeader): string {
  const lines = [
    `${printable(program.join(' '))}: ${stock ? "Node's own cluster" : 'cluster-internals'}, Node ${printable(node)}, ${printable(started)}`,
    ...processes.map(({ name, pid, code, signal, missing }) => `${printable(name)}: pid ${pid}${signal === null || signal === undefined ? code === null || code === undefined ? '' : `, exit code ${code}` : `, ended by ${printable(signal)}`}${missing === 0 ? '' : `, ${missing} events missing`}`),
    ...cutOff.map((reason) => `cut off: ${printable(reason)}`),
    ...cannotShow.map((what) => `not shown: ${printable(what)}`),
  ];
  return lines.map((line) => `# ${line}\n`).join('');
}

function lineOf(event: RecordedEvent): string {
  const derived = event.derived === true ? ' (derived)' : '';
  const source = event.source === undefined ? '' : `  ${printable(event.source.file)}:${event.source.line}`;
  return `${whatHappened(event)}${derived}${source}`;
}

function whatHappened(event: RecordedEvent): string {
  switch (event.kind) {
    case 'process': {
      const { event: what, child, childName, code, signal, reason } = event;
      const end = signal === null || signal === undefined ? `code ${code ?? '?'}` : printable(signal);
      if (what === 'fork') return `starts ${printable(childName ?? '?')} (pid ${child ?? '?'})`;
      if (what === 'child exit') return `sees the end of ${printable(childName ?? '?')}: ${end}`;
      if (what === 'exit') return `ends: ${end}`;
      return what === 'cut off' ? `its recording is cut off: ${printable(reason ?? '')}` : 'starts';
    }
    case 'message': {
      const arrow = event.way === 'sent' ? `→ ${printable(event.to)}` : `← ${printable(event.from)}`;
      const latency = event.sentAt === undefined ? '' : `  after ${((event.at - event.sentAt) / 1e3).toFixed(0)} µs`;
      const about = event.connections ?? (event.connection === undefined ? [] : [event.connection]);
      return `${arrow}  ${messageText(event, true)}${event.bytes === null ? '' : `  ${event.bytes} bytes`}${about.length === 0 ? '' : `  ${printable(about.join(' '))}`}${latency}`;
    }
    case 'connection': {
      const { event: what, connection, fd, to, queue, inFlight, client, by, bytesRead, bytesWritten } = event;
      const counts = queue === undefined ? '' : `  queue ${queue}, in flight ${inFlight ?? 0}`;
      return `${printable(connection)} ${printable(what)}${to === undefined ? '' : ` ${what === 'handed off' ? 'to' : 'by'} ${printable(to)}`}${by === undefined ? '' : ` by ${printable(by)}`}`
        + `${fd >= 0 ? `  fd ${fd}` : ''}${client === undefined ? '' : `  client ${printable(client)}`}${bytesRead === undefined ? '' : `  ${bytesRead} bytes read, ${bytesWritten ?? 0} written`}${counts}`;
    }
    case 'state': return `${event.of} ${printable(event.what)}: ${printable(event.from)} → ${stateText(event)}`;
    case 'loop': return `event loop ${(event.busy * 100).toFixed(0)} % busy${event.delay > 0 ? `, blocked for ${(event.delay / 1e6).toFixed(0)} ms` : ''}`;
    case 'kernel': return `connections at ${printable(event.address)} that nobody has accepted yet: ${event.waiting}  socket ${event.socket}`;
    case 'gap': return `${event.missing ?? 'some'} events are missing (${event.why})`;
  }
}
