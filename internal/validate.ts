/**
 * Checks what a program passes in: arguments, options, settings and limits. Each check throws an error in the
 * words and with the code of Node, or returns the value with its type. `name` is how the program knows the
 * value, for example `options.limits.keys`.
 *
 * A check is made before anything is done with the value, so a call that throws has changed nothing.
 * Imports only errors.ts and builtins.ts: each primary loads this file when it starts.
 */
import { Number, NativeObject, join, push } from './builtins';
import { invalidArgType, invalidArgValue, nodeError, outOfRange } from './errors';

/** Throws ERR_INVALID_ARG_TYPE unless the value is an object. */
export function checkObject<Value>(name: string, value: Value): Value & object {
  if (typeof value !== 'object' || value === null) throw invalidArgType(name, 'of type object', value);
  return value;
}

/** Throws ERR_INVALID_ARG_TYPE unless the value is a string. */
export function checkString(name: string, value: unknown): string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
  return value;
}

/** Throws ERR_INVALID_ARG_TYPE unless the value is true or false. */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'of type boolean', value);
  return value;
}

/** Throws ERR_INVALID_ARG_TYPE for no number, ERR_OUT_OF_RANGE for one that is not between these two. NaN never is. */
export function checkNumber(name: string, value: unknown, lowest: number, highest: number): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  if (!(value >= lowest && value <= highest)) throw outOfRange(name, `>= ${lowest} && <= ${highest}`, value);
  return value;
}

/** As `checkNumber`, and throws ERR_OUT_OF_RANGE for a number that is no integer. `hint` ends the description of the range. */
export function checkInteger(name: string, value: unknown, lowest: number, highest: number, hint = ''): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value);
  const isInteger = Number.isInteger(value);
  if (isInteger && value >= lowest && value <= highest) return value;
  throw outOfRange(name, `${isInteger ? '' : 'an integer '}>= ${lowest} && <= ${highest}${hint}`, value);
}

/** Throws ERR_INVALID_ARG_VALUE, with all valid texts, unless the value is one of them. `or`: what else it may be, for the error. */
export function checkOneOf<Text extends string>(name: string, value: unknown, valid: readonly Text[], or = ''): Text {
  for (const text of valid) if (text === value) return text;
  throw invalidArgValue(name, value, `must be ${or}one of: ${quoted(valid)}`);
}

/** Throws ERR_INVALID_ARG_VALUE, with all valid names, unless `key` is the name of a property that the object `name` may have. */
export function checkName(name: string, key: string, valid: readonly string[]): void {
  for (const each of valid) if (each === key) return;
  throw nodeError(TypeError, 'ERR_INVALID_ARG_VALUE', `The property '${name}.${key}' does not exist. Valid names: ${quoted(valid)}`);
}

/** Throws ERR_INVALID_ARG_TYPE unless `given` is an object, ERR_INVALID_ARG_VALUE if it has a property with another name than these. Reads no property. */
export function checkNames(name: string, given: unknown, valid: readonly string[]): void {
  for (const key of NativeObject.keys(checkObject(name, given))) checkName(name, key, valid);
}

function quoted(texts: readonly string[]): string {
  const all: string[] = [];
  for (const text of texts) push(all, `'${text}'`);
  return join(all, ', ');
}

/** Throws ERR_INVALID_ARG_VALUE unless the value is a number above 0. A rate can be lower than one per second. */
export function checkRate(name: string, value: unknown): number {
  if (typeof value === 'number' && value > 0) return value;
  throw invalidArgValue(name, value, 'must be a number > 0');
}

/** The greatest number of a TCP or UDP port. */
export const HIGHEST_PORT = 65535;

/** Is it a whole number from 0 to 65535? */
export const isPort = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= HIGHEST_PORT;
