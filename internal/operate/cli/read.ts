/**
 * Reads values that came over a control socket: each is `unknown`, and a field that is missing, or of another kind, is
 * what is not known. An older or a newer daemon must not make the CLI fail.
 *
 * Used by  every file of cli/ that prints what an app or the daemon answered
 */
export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

export const listOf = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(fieldsOf) : []);

export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

export const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);
