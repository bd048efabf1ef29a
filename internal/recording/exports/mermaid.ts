/**
 * A recording as a Mermaid sequence diagram, for documents. Processes are participants that are created and destroyed,
 * messages are arrows, and what happens to a connection is a note. An arrow with a cross never arrived.
 *
 * Used by  index.ts
 * Never    draws more than MOST steps: a diagram of thousands of arrows cannot be read. A last note says how many are left
 * Keeps    text from a message cannot end a line or begin a statement of Mermaid: all but harmless letters are escaped
 */
import type { ConnectionEvent, MessageEvent, ProcessEvent, RecordedEvent } from '../format';
import type { Recording } from '../read';
import { messageText, OncePerMessage, stateText } from './words';

/** Steps of a diagram. */
const MOST = 400;
const CLIENT = 'clients';

/** The diagram. */
export async function* toMermaid({ header, events }: Recording): AsyncGenerator<string> {
  const shown: RecordedEvent[] = [];
  const arrived = new Set<string>();
  const messages = new OncePerMessage();
  let left = 0;
  for await (const event of events) {
    if (event.kind === 'message' && event.way === 'received') arrived.add(event.id);
    if (!isStep(event, messages)) continue;
    if (shown.length < MOST) shown.push(event);
    else left++;
  }
  const diagram = new Diagram(arrived);
  const hasClients = shown.some((event) => event.kind === 'connection');
  const [first] = header.processes;
  yield `sequenceDiagram\n${hasClients ? `    actor ${CLIENT}\n` : ''}${first === undefined ? '' : diagram.participant(first.name, first.role)}`;
  for (const event of shown) yield diagram.step(event);
  if (left > 0) yield `    Note over ${idOf(first?.name ?? CLIENT)}: … ${left} more steps\n`;
}

/** Is this drawn? Messages are drawn when they are sent. */
function isStep(event: RecordedEvent, messages: OncePerMessage): boolean {
  switch (event.kind) {
    case 'process': return event.event === 'fork' || event.event === 'exit';
    case 'message': return messages.picks(event);
    case 'connection': return event.event !== 'opened' || /-c\d+$/.test(event.connection);
    case 'state': return event.of !== 'channel' && (event.of !== 'worker' || event.to === 'dead');
    case 'gap': return true;
    case 'loop': return event.delay >= 200e6;
    case 'kernel': return false;
  }
}

class Diagram {
  readonly #known = new Set<string>();
  readonly #arrived: ReadonlySet<string>;

  constructor(arrived: ReadonlySet<string>) {
    this.#arrived = arrived;
  }

  participant(name: string, role: string): string {
    this.#known.add(name);
    return `    participant ${idOf(name)} as ${role === 'primary' && name === 'P' ? 'primary' : escape(name)}\n`;
  }

  step(event: RecordedEvent): string {
    const before = this.#known.has(event.name) || event.kind === 'process' ? '' : this.participant(event.name, event.role);
    return before + this.#step(event);
  }

  #step(event: RecordedEvent): string {
    switch (event.kind) {
      case 'process': return this.#process(event);
      case 'message': return this.#message(event);
      case 'connection': return connection(event);
      case 'state': return note(event.name, event.of === 'worker' ? `worker ${event.what}: ${event.to}` : `${event.what} ${event.from} → ${stateText(event)}`);
      case 'loop': return note(event.name, `the event loop was blocked for ${Math.round(event.delay / 1e6)} ms`);
      case 'kernel': return '';
      case 'gap': return note(event.name, `${event.missing ?? 'some'} events are missing (${event.why})`);
    }
  }

  #process({ event, name, childWorker, childName = `W${childWorker ?? '?'}`, code, signal }: ProcessEvent): string {
    if (event === 'fork') {
      // A child that is no worker takes no part in the cluster.
      if (childWorker === null || childWorker === undefined || this.#known.has(childName)) return '';
      this.#known.add(childName);
      return `    create participant ${idOf(childName)} as ${escape(childName.replace(/^W(\d+)$/, 'worker $1'))}\n    ${idOf(name)}->>${idOf(childName)}: fork\n`;
    }
    if (!this.#known.has(name)) return '';
    const how = signal === null || signal === undefined ? `exit ${code ?? '?'}` : `killed by ${escape(signal)}`;
    // Mermaid destroys a participant with a message to or from it.
    return /^W\d+$/.test(name) && this.#known.has('P') ? `    destroy ${idOf(name)}\n    ${idOf(name)}--x${idOf('P')}: ${how}\n` : note(name, how);
  }

  #message(event: MessageEvent): string {
    const { from, to, id, way } = event;
    if (!this.#known.has(from) || !this.#known.has(to)) return '';
    const arrow = way === 'received' || this.#arrived.has(id) ? '->>' : '-x';
    const about = event.connection === undefined ? '' : ` · ${event.connections?.join(' ') ?? event.connection}`;
    return `    ${idOf(from)}${arrow}${idOf(to)}: ${escape(messageText(event, false) + about)}\n`;
  }
}

function connection({ event, connection: id, name, fd, to, by, bytesRead, bytesWritten }: ConnectionEvent): string {
  const about = `${id}${fd >= 0 ? `, fd ${fd}` : ''}`;
  switch (event) {
    case 'queued': return `    ${CLIENT}->>${idOf(name)}: connect · ${escape(id)}\n${note(name, `queued ${about}`)}`;
    case 'opened': return `    ${CLIENT}->>${idOf(name)}: connect · ${escape(id)}\n`;
    case 'handed off': return note(name, `in flight to ${to ?? '?'}: ${about} (the primary keeps its copy)`);
    case 'acknowledged': return note(name, `closes its copy: ${about}`);
    case 'reclaimed': return note(name, `reclaimed from ${to ?? '?'}, first in the queue: ${about}`);
    case 'closed':
      if (by === 'client') return `    ${CLIENT}->>${idOf(name)}: closes ${escape(id)} (${bytesRead ?? 0} bytes in, ${bytesWritten ?? 0} out)\n`;
      return bytesRead === undefined ? note(name, `closed by ${by ?? '?'}: ${about}`) : `    ${idOf(name)}->>${CLIENT}: closes ${escape(id)} (${bytesRead} bytes in, ${bytesWritten ?? 0} out)\n`;
    default: return note(name, `${event} ${about}`);
  }
}

const note = (name: string, text: string): string => `    Note over ${idOf(name)}: ${escape(text)}\n`;

/** A name that Mermaid takes as an identifier. */
const idOf = (name: string): string => name.replace(/[^A-Za-z0-9]/g, '_');

/** Mermaid writes a character as `#code;`. Semicolons and `#` end or begin something in its texts. */
const escape = (text: string): string => text.replace(/[^\w .,:(){}[\]/+*=→·…-]/gu, (letter) => `#${letter.codePointAt(0) ?? 63};`);
