/**
 * One process as the server sees it: what it is owed, and how much of that is under way.
 *
 * A process that does not read makes what it is sent pile up in the primary. So `send` says how the
 * pipe is: true while it is free, false when something waits in front of it; and calls back when the
 * message is written. A free pipe owes nothing, whatever a wrapper of `send` did with the callbacks.
 *
 * Owns     the feeds of its watches, answers that were not sent yet
 * Used by  server.ts
 * Keeps    1. `unwritten` and `unwrittenBytes` are what was sent since the pipe was last free, and is
 *             not written; neither is ever less than nothing
 *          2. nothing is sent to a process that is not known, but for what makes it known
 */
import { Account } from './account';
import type { Feed } from './feed';
import type { Answer, Batch, Limits, ServerMessage } from '../protocol';

/**
 * Sends a message to the process; must not throw, and may lose messages when the process is gone.
 * Returns false if something waits in front of the pipe; then `written` is called once this message does not.
 */
export type Send = (message: ServerMessage, written: () => void) => unknown;

/** About how many bytes an answer has besides its value. */
const ANSWER_BYTES = 100;

/** One process that uses the shared state. Made by `StateServer.connect`. */
export class Session {
  /** A worker's id, 0 for the primary. */
  readonly id: number;
  readonly account: Account;
  readonly feeds = new Map<number, Feed>();
  /** It has said hello, and not bye. */
  known = false;
  readonly #send: Send;
  /** Called when less is under way than before. */
  readonly #written: (session: Session) => void;
  #answers: Answer[] = [];
  #answerBytes = 0;
  #unwritten = 0;
  #unwrittenBytes = 0;
  /** Counts how often the pipe was free: what was sent before that is written. */
  #era = 0;

  constructor(id: number, limits: Limits, send: Send, written: (session: Session) => void) {
    this.id = id;
    this.account = new Account(id === 0 ? null : limits);
    this.#send = send;
    this.#written = written;
  }

  /** Answers that it has not been sent, or that are under way. */
  get unreadAnswers(): number {
    return this.#answers.length + this.#unwritten;
  }

  /** Bytes of those answers, and of events that are under way. */
  get unreadBytes(): number {
    return this.#answerBytes + this.#unwrittenBytes;
  }

  answer(answer: Answer): void {
    this.#answers.push(answer);
    if ('result' in answer && 'text' in answer.result) this.#answerBytes += answer.result.text?.length ?? 0;
    this.#answerBytes += ANSWER_BYTES;
  }

  /** Sends the answers there are. */
  sendAnswers(): void {
    const answers = this.#answers;
    const bytes = this.#answerBytes;
    this.#answers = [];
    this.#answerBytes = 0;
    if (answers.length > 0 && this.known) this.post({ act: 'answers', answers }, answers.length, bytes);
  }

  sendEvents(batches: readonly Batch[], bytes: number): void {
    this.post({ act: 'events', batches }, 0, bytes);
  }

  /** Sends something that holds so many answers and bytes. */
  post(message: ServerMessage, answers = 0, bytes = 0): void {
    const era = this.#era;
    let once = false;
    this.#unwritten += answers;
    this.#unwrittenBytes += bytes;
    const free = this.#send(message, () => {
      if (once || era !== this.#era) return;
      once = true;
      this.#unwritten -= answers;
      this.#unwrittenBytes -= bytes;
      this.#written(this);
    });
    if (free === false) return;
    this.#era++;
    this.#unwritten = 0;
    this.#unwrittenBytes = 0;
  }

  /** It is gone, or wants no more: it is owed nothing. What is under way still is. */
  forget(): void {
    this.known = false;
    this.#answers = [];
    this.#answerBytes = 0;
    this.feeds.clear();
  }
}
