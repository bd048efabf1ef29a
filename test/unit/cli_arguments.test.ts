// Guards that the command line never acts on an argument that it did not understand, and says what was meant.
import { describe, expect, test } from 'vitest';
import { count, flag, oneOf, readArguments, size, text, texts, time } from '../../internal/operate/cli/arguments';
import { CommandError } from '../../internal/operate/cli/errors';
import { nearest } from '../../internal/operate/cli/nearest';
import { printable } from '../../internal/operate/cli/output';
import { bytesText, durationText, millisecondsText, percentText, table } from '../../internal/operate/cli/table';

const options = {
  name: text('NAME', 'a name', 'n'), instances: count('N', 'how many', 1, 64), follow: flag('goes on', 'f'), canary: time('how long'),
  log: size('how long a file'), env: texts('KEY=VALUE', 'a variable'), 'on-give-up': oneOf(['go-on', 'stop'], 'what follows'),
};

test('options, names, and what stands after --', () => {
  expect(readArguments(options, ['api', '--name', 'a', '--instances=3', '-f', '--canary', '2s', '--log=10M', '--env', 'A=1', '--env=B=2=3', '-1', '--', '--name', '-x'])).toEqual({
    values: { name: 'a', instances: 3, follow: true, canary: 2000, log: 10 * 1024 ** 2, env: ['A=1', 'B=2=3'] }, names: ['api', '-1'], rest: ['--name', '-x'],
  });
  expect(readArguments(options, ['-na', '-f', '-f']).values).toEqual({ name: 'a', follow: true });
  expect(readArguments(options, ['-n', '-weird']).values).toEqual({ name: '-weird' });
  expect(readArguments(options, [])).toEqual({ values: {}, names: [], rest: [] });
});

test.each([['500', 500], ['500ms', 500], ['2s', 2000], ['1.5s', 1500], ['5m', 300_000], ['1h', 3_600_000], ['2d', 172_800_000]])('a time of %s is %i ms', (given, ms) => {
  expect(readArguments(options, ['--canary', given]).values['canary']).toBe(ms);
});

describe('a wrong argument is one line and exit code 2', () => {
  test.each([
    [['--nmae', 'x'], 'there is no option --nmae; did you mean --name?'], [['--instance', '4'], 'did you mean --instances?'], [['-x'], 'there is no option -x'],
    [['-name', 'x'], 'there is no option -name; did you mean --name?'], [['--name'], '--name needs a value: --name NAME'], [['--name='], '--name needs a value'], [['--name', 'a', '--name', 'b'], '--name is given twice'],
    [['--follow=yes'], '--follow takes no value'], [['-fx'], '--follow takes no value'], [[''], 'an argument is empty'], [['-'], "'-' is no argument"], [['--=x'], "'--=x' is no option"],
    [['--instances', '0'], 'a whole number from 1 to 64'], [['--instances', '65'], 'a whole number from 1 to 64'], [['--instances', '1e1'], 'a whole number'],
    [['--canary', '2 s'], 'a time such as'], [['--canary', '-2s'], 'a time such as'], [['--canary', '2y'], 'a time such as'], [['--canary', '25d'], 'a time such as'],
    [['--log', '10X'], 'a size such as'], [['--log', '0'], 'a size such as'], [['--log', '99999999G'], 'a size such as'], [['--on-give-up', 'go'], "takes go-on or stop, not 'go'"],
    [['--constructor', 'x'], 'there is no option --constructor'], [['--__proto__', 'x'], 'there is no option --__proto__'],
  ])('%j', (args, message) => {
    let error: unknown;
    try {
      readArguments(options, args);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CommandError);
    expect((error as CommandError).exitCode).toBe(2);
    expect((error as CommandError).message).toContain(message);
    expect((error as CommandError).message).not.toContain('\n');
  });
});

test('the nearest name', () => {
  const names = ['reload', 'restart', 'resurrect', 'list', 'logs', 'stop', 'start', 'status'];
  expect(['relaod', 'lsit', 'log', 'stp', 'statsu', 'res', 'xyz', 'constructor', ''].map((word) => nearest(word, names))).toEqual(['reload', 'list', 'logs', 'stop', 'status', 'restart', null, null, null]);
});

test('a table: numbers at the right, colours have no width, what is unknown is a dash', () => {
  expect(table([{ head: 'name' }, { head: 'n', right: true }, { head: 'x' }], [['a', '10', '\x1b[32mok\x1b[39m'], ['long', '5', '']])).toBe('name   n  x\na     10  \x1b[32mok\x1b[39m\nlong   5');
  expect([durationText(59_999), durationText(3_600_000 * 27), durationText(null), bytesText(47_500_000), bytesText(undefined), percentText(0.031), percentText(NaN), millisecondsText(0.42), millisecondsText(12.4)])
    .toEqual(['59s', '1d 3h', '-', '45.3 M', '-', '3%', '-', '0.4 ms', '12 ms']);
});

test('text of an app cannot move the cursor', () => {
  expect(printable('a\x1b[2Jb\nc\r\x9bd')).toBe('a?[2Jb | c??d');
});
