/**
 * The events of a supervisor as lines for people: each step of a worker is one line.
 *
 * Used by  run.ts, replace.ts, scale.ts, start.ts, upgrade.ts, lib/main.ts
 */
import { errorLine } from '../../supervisor/error_line';
import type { GiveUp, ReloadEvent, Transition } from '../../supervisor/status';
import type { Supervisor } from '../../supervisor/supervisor';
import { printable, type Output } from './output';
import { fieldsOf, listOf, numberOf, textOf } from './read';

/** Where the lines go. `event`: the same as an object, for scripts. */
export interface LineWriter {
  line(text: string, event: object): void;
  failure(text: string, event: object): void;
}

/** Writes a line for each event of `supervisor`, as long as it lives. `self` stands before the lines of a reload. */
export function eventLines(supervisor: Supervisor, self: string, writer: LineWriter, paint: Paint = (_style, text) => text): void {
  supervisor.on('transition', (transition) => {
    const line = transitionLine(transition, paint);
    if (line !== null) writer.line(line, { event: 'transition', ...transition });
  });
  supervisor.on('reload', (reload) => writer.line(`${self}: ${reloadLine(reload)}`, { event: 'reload', ...reload }));
  supervisor.on('giveup', (giveUp) => writer.failure(giveUpLine(giveUp), { event: 'giveup', ...giveUp }));
}

/** Puts a text in colour, or returns it as it is where colours are not wanted. */
export type Paint = (style: 'green' | 'dim', text: string) => string;

/** A transition as one line; null for those that another line reports. */
function transitionLine({ place, worker, pid, state }: Transition, paint: Paint): string | null {
  const who = worker === null ? `slot ${place}` : `worker ${worker} (pid ${pid})`;
  switch (state.is) {
    case 'leaving': return `${who}: leaving (${state.reason}), ${state.phase}`;
    case 'backing off': return `${who}: backing off for ${((state.until - state.since) / 1000).toFixed(1)} s, after ${state.failures} failures in a row`;
    case 'gone': return `${who}: ${paint('dim', 'gone')}${state.reason === endOf(state) ? '' : ` (${state.reason})`}, ${endOf(state)}`;
    case 'given up': return null;
    case 'ready': return `${who}: ${paint('green', 'ready')}`;
    case 'starting': return `${who}: starting`;
  }
}

const reloadLine = ({ state, reason }: ReloadEvent): string => `reload ${state}${reason && `: ${reason}`}`;

/** Why a slot is given up: the supervisor's reason, then how its workers ended, and the error that one of them printed. */
function giveUpLine({ what, reason, exits, stderr }: GiveUp): string {
  if (what === 'recycling') return reason;
  const last = errorLine(stderr);
  const ends = [...new Set(exits.map(endOf))].map((end) => `${end} (${exits.filter((exit) => endOf(exit) === end).length})`);
  return `${reason}; its last workers: ${ends.join(', ')}${last ? `; the error of one: ${last}` : ''}`;
}

function endOf({ code, signal }: { readonly code: number | null; readonly signal: NodeJS.Signals | null }): string {
  return signal === null ? `exited with ${code}` : `killed by ${signal}`;
}

// ── events that came over a control socket ─────────────────────────────────────────────────────────

/** Prints a line about the progress of a command, if the event is worth one. */
export function noteProgress(event: unknown, output: Output): void {
  const line = progressLine(event);
  if (line !== null) output.note(line);
}

function progressLine(value: unknown): string | null {
  const event = fieldsOf(value);
  const reason = printable(textOf(event['reason']));
  switch (event['event']) {
    case 'reload': return `reload ${printable(textOf(event['state']))}${reason === '' ? '' : `: ${reason}`}`;
    case 'upgrade': {
      const state = textOf(event['state']);
      const step = state === 'leaving' ? 'serves, and the old one leaves' : printable(state);
      return `the new primary (pid ${numberOf(event['pid']) ?? '?'}): ${step}${reason === '' ? '' : ` (${reason})`}`;
    }
    case 'giveup': return `place ${numberOf(event['place']) ?? '?'} is given up: ${reason}`;
    case 'transition': {
      const state = fieldsOf(event['state']);
      const is = textOf(state['is']);
      const who = numberOf(event['pid']) === null ? `place ${numberOf(event['place']) ?? '?'}` : `worker ${numberOf(event['worker']) ?? '?'} (pid ${numberOf(event['pid']) ?? '?'})`;
      const why = printable(textOf(state['reason']));
      const code = numberOf(state['code']);
      if (is === 'leaving' && state['phase'] !== 'told') return null;
      const end = is !== 'gone' || why !== '' ? '' : `: ${code === null ? `killed by ${textOf(state['signal'])}` : `exited with ${code}`}`;
      return `${who}: ${printable(is)}${why === '' ? '' : ` (${why})`}${end}`;
    }
    default: return null;
  }
}

/** "2 workers are ready, 2 have left". */
export function reportText(report: unknown): string {
  const fates = listOf(fieldsOf(report)['workers']);
  const parts = (['ready', 'left', 'died'] as const).flatMap((became) => {
    const { length } = fates.filter((fate) => fate['became'] === became);
    if (length === 0) return [];
    const verb = became === 'ready' ? (length === 1 ? 'is ready' : 'are ready') : `${length === 1 ? 'has' : 'have'} ${became}`;
    return [`${length} ${length === 1 ? 'worker' : 'workers'} ${verb}`];
  });
  return parts.length === 0 ? 'nothing had to be changed' : parts.join(', ');
}
