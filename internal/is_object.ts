/**
 * The first question about a value that somebody else has made: another process, another version, a file, the program. It
 * is `unknown` before, and afterwards an object whose fields are `unknown`.
 *
 * Used by  every guard of a message, a file or an answer
 */
import { Array } from './builtins';

/** An object of whose fields nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Is it an object, and no array? */
export const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
