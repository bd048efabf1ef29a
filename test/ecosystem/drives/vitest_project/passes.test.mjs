import { expect, it } from 'vitest';

it('adds', () => expect(1 + 1).toBe(2));
it('is in a child process', () => expect(typeof process.send).toBe('function'));
it('compares', () => expect({ a: [1] }).toMatchObject({ a: [1] }));
