/** Guards each place where the shared state calls code of the app: this code throws, calls the shared state again, or closes it, and the shared state stays consistent. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { root, run } from '../support/program';

test('getters, proxies, signals, lock bodies, listeners and a wrapped send may throw, call back or close the shared state', async () => {
  const { code, stdout, stderr } = await run(path.join(root, 'test/fixtures/shared_state_app_mistakes.js'));
  expect(stderr).toBe('');
  expect(stdout.trimEnd().split('\n')).toEqual([
    'a getter that throws: mine | undefined',
    'a getter that writes: set | 1',
    'a getter that changes: set | {"a":1} | 1',
    'a proxy that throws: trap | trap',
    'toJSON: VALUE | VALUE',
    'what JSON would leave out: VALUE | VALUE',
    'a value with 2 ** 60 leaves: LIMIT',
    'minus zero: set | true',
    'a toJSON for all arrays: set',
    '… left it as it was: [1]',
    'options that throw: mine | trap',
    'signals with accessors of their own: undefined | ERR_INVALID_ARG_TYPE',
    'a signal that fires inside: inside',
    'locks that are aborted, and free after: ["enough","enough","enough","free",["abort listener"]]',
    'bodies that throw, release, return nothing: body | true | ERR_INVALID_ARG_TYPE | undefined',
    'free after them: undefined',
    'again: false',
    'listeners of a lease: [true,"free",["lease listener"]]',
    'a watch that is left in the middle: [true,true]',
    'listeners of an election: ["free",["elected listener","closed listener"]]',
    'a send that throws: [["announce","welcome","answers","events","answers"],2,1]',
    'closed and opened within a listener: [true,true,"CLOSED",false,false,"number",1]',
    'listeners left: 0',
    'uncaught besides:',
  ]);
  expect(code).toBe(0);
});
