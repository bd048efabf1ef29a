/**
 * Reads values that came over a control socket: each is `unknown`, and a field that is missing, or of another kind, is
 * what is not known. An older or a newer daemon must not make the CLI fail.
 *
 * Used by  every file of cli/ that prints what an app or the daemon answered
 */
import { isObject, type Fields } from '../../is_object';

/** The fields of an object that a server sent; none if it is no object. */
export function fieldsOf(value: unknown): Fields {
  return isObject(value) ? { ...value } : {};
}

/** The objects in an array that a server sent; none if it is no array. */
export const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fieldsOf) : []);

/** A text that a server sent; '' if it is none. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** A number that a server sent; null if it is none. */
export const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);
