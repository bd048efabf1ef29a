/**
 * One process that uses the shared state, as the server sees it: its account, its watches, and how much was sent
 * to it that it has not read.
 *
 * If a process does not read, the messages to it pile up in the primary. So `send` returns whether the channel is
 * free (nothing waits in front of it), and calls `written` when a message is written. A free channel has nothing
 * unwritten, so the counts go back to 0 then, whatever a program that wraps `send` has done with the callbacks.
 *
 * Owns     the feeds of its watches; answers that are not sent yet
 * Used by  server.ts; primary.ts, proxy.ts, carry_over.ts (types)
 * Keeps    1. `unwritten` and `unwrittenBytes` count what was sent since the channel was last free and is not
 *             written; neither is ever negative
 *          2. nothing but `announce`, `welcome` and `closed` is sent before the hello or after the end
 */
import { Account } from './account';
import type { Feed } from './feed';
import type { Answer, Batch, Limits, ServerMessage } from '../protocol';

/**
 * Sends a message to the process. Must not throw; may lose the message if the process is gone. Returns false if
 * messages wait in front of the channel; then `written` is called when this one is written.
 */
export type Send = (message: ServerMessage, written: () => void) => unknown;

/** Estimated bytes of an answer without its value. */
const ANSWER_BYTES = 100;

/** One process. Made by `StateServer.connect`. */
export class Session {
  /** A worker's id, 0 for the primary. */
  readonly id: number;
  readonly account: Account;
  /** Its watches, by the numbers that the client has given them. */
  readonly feeds = new Map<number, Feed>();
  /** It has said hello, and has not ended. */
  known = false;
  readonly #send: Send;
  /** Called when a message was written. */
  readonly #written: (session: Session) => void;
  #answers: Answer[] = [];
  #answerBytes = 0;
  #unwritten = 0;
  #unwrittenBytes = 0;
  /** The number of times that the channel was free. Everything that was sent in an earlier era is written. */
  #era = 0;

  constructor(id: number, limits: Limits, send: Send, written: (session: Session) => void) {
    this.id = id;
    this.account = new Account(id === 0 ? null : limits);
    this.#send = send;
    this.#written = written;
  }

  /** The number of answers that are not sent, or not written. */
  get unreadAnswers(): number {
    return this.#answers.length + this.#unwritten;
  }

  /** The bytes of these answers, and of the events that are not written. */
  get unreadBytes(): number {
    return this.#answerBytes + this.#unwrittenBytes;
  }

  /** Keeps an answer for the next `sendAnswers`. */
  answer(answer: Answer): void {
    this.#answers.push(answer);
    if ('result' in answer && 'text' in answer.result) this.#answerBytes += answer.result.text?.length ?? 0;
    this.#answerBytes += ANSWER_BYTES;
  }

  /** Sends the kept answers, in one message. */
  sendAnswers(): void {
    const answers = this.#answers;
    const bytes = this.#answerBytes;
    this.#answers = [];
    this.#answerBytes = 0;
    if (answers.length > 0 && this.known) this.post({ act: 'answers', answers }, answers.length, bytes);
  }

  /** Sends events. `bytes`: their estimated size. */
  sendEvents(batches: readonly Batch[], bytes: number): void {
    this.post({ act: 'events', batches }, 0, bytes);
  }

  /** Sends a message, and counts so many answers and bytes until it is written. */
  post(message: ServerMessage, answers = 0, bytes = 0): void {
    const era = this.#era;
    let isWritten = false;
    this.#unwritten += answers;
    this.#unwrittenBytes += bytes;
    const free = this.#send(message, () => {
      if (isWritten || era !== this.#era) return;
      isWritten = true;
      this.#unwritten -= answers;
      this.#unwrittenBytes -= bytes;
      this.#written(this);
    });
    if (free === false) return;
    this.#era++;
    this.#unwritten = 0;
    this.#unwrittenBytes = 0;
  }

  /** The process is gone or was closed: drops its answers and watches. What was sent still counts until it is written. */
  forget(): void {
    this.known = false;
    this.#answers = [];
    this.#answerBytes = 0;
    this.feeds.clear();
  }
}
