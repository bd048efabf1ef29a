/**
 * The restarts of a fleet, as they go from one primary to the one that replaces it: what is charged to the budget, and the
 * number of all. Another version may have sent them, so they are checked.
 *
 * Used by  fleet.ts, supervisor.ts
 * Uses     restart_budget.ts (the type of its content)
 */
import { isObject } from '../is_object';
import type { BudgetSnapshot } from './restart_budget';

/** The restarts of one fleet. */
export interface RestartHistory extends BudgetSnapshot {
  /** How many restarts there were in all. */
  readonly restarted: number;
}

const isNumber = (value: unknown): value is number => typeof value === 'number';

/** The history that was sent; null if it is none. */
export function readRestartHistory(value: unknown): RestartHistory | null {
  if (!isObject(value)) return null;
  const { restarts, failures, restarted } = value;
  const isRestart = (one: unknown): one is { slot: number; at: number } => isObject(one) && isNumber(one['slot']) && isNumber(one['at']);
  const isFailures = (one: unknown): one is [number, number] => Array.isArray(one) && one.length === 2 && one.every(isNumber);
  if (!Array.isArray(restarts) || !restarts.every(isRestart) || !Array.isArray(failures) || !failures.every(isFailures) || !isNumber(restarted)) return null;
  return { restarts, failures, restarted };
}
