import { expect, test } from 'bun:test';
import type { Flag } from './flag.ts';
import { parseFlags } from './flag-set.ts';

const FLAGS: Flag[] = [
  { name: 'interactive', short: 'i', kind: 'bool', usage: '' },
  { name: 'tty', short: 't', kind: 'bool', usage: '' },
  { name: 'rm', kind: 'bool', usage: '' },
  { name: 'publish', short: 'p', kind: 'list', usage: '' },
  { name: 'name', kind: 'string', usage: '' },
  { name: 'memory', short: 'm', kind: 'bytes', usage: '' },
  { name: 'cpus', kind: 'decimal', usage: '' },
  { name: 'last', short: 'n', kind: 'int', usage: '', default: '-1' },
  { name: 'sysctl', kind: 'map', usage: '' },
  { name: 'health-interval', kind: 'duration', usage: '' },
];

const parse = (args: string[], interspersed = false) => parseFlags(FLAGS, args, { interspersed });

test('shorthands go together, and a value may follow at once', () => {
  const flags = parse(['-itp80:80', '-p=81:81', '-p', '82:82', 'busybox', '-t=x', '--rm']);
  expect(flags.bool('interactive') && flags.bool('tty')).toBe(true);
  expect(flags.list('publish')).toEqual(['80:80', '81:81', '82:82']);
  expect(flags.args).toEqual(['busybox', '-t=x', '--rm']);
  expect(flags.bool('rm')).toBe(false);
});

test('a bool takes its value after = only', () => {
  expect(parse(['--rm=false', '-t=0', 'x']).bool('rm')).toBe(false);
  expect(parse(['--rm', 'false']).args).toEqual(['false']);
  expect(parse(['-it=true']).bool('tty')).toBe(true);
});

test('interspersed flags may stand behind arguments, until --', () => {
  const flags = parse(['a', '--rm', 'b', '--', '-t'], true);
  expect(flags.args).toEqual(['a', 'b', '-t']);
  expect([flags.bool('rm'), flags.bool('tty')]).toEqual([true, false]);
});

test('- is an argument, defaults and maps are there', () => {
  const flags = parse(['--sysctl', 'a=b=c', '--sysctl=d=e', '-']);
  expect(flags.args).toEqual(['-']);
  expect(flags.map('sysctl')).toEqual({ a: 'b=c', d: 'e' });
  expect([flags.int('last'), flags.changed('last'), flags.string('name')]).toEqual([-1, false, '']);
});

// As stock docker 28.2 answers.
test.each([
  [['--foo'], 'unknown flag: --foo'],
  [['-itQ', 'x'], "unknown shorthand flag: 'Q' in -Q"],
  [['-p'], "flag needs an argument: 'p' in -p"],
  [['--name'], 'flag needs an argument: --name'],
  [['-it=x'], 'invalid argument "x" for "-t, --tty" flag: strconv.ParseBool: parsing "x": invalid syntax'],
  [['-m', 'abc'], `invalid argument "abc" for "-m, --memory" flag: invalid size: 'abc'`],
  [
    ['-m', '1.5.2g'],
    'invalid argument "1.5.2g" for "-m, --memory" flag: strconv.ParseFloat: parsing "1.5.2": invalid syntax',
  ],
  [['--cpus', 'abc'], 'invalid argument "abc" for "--cpus" flag: failed to parse abc as a rational number'],
  [
    ['-n', 'abc'],
    'invalid argument "abc" for "-n, --last" flag: strconv.ParseInt: parsing "abc": invalid syntax',
  ],
  [
    ['--health-interval', '5'],
    'invalid argument "5" for "--health-interval" flag: time: missing unit in duration "5"',
  ],
  [
    ['--health-interval', 'foo'],
    'invalid argument "foo" for "--health-interval" flag: time: invalid duration "foo"',
  ],
] as [string[], string][])("%p is refused in Docker's words", (args, message) => {
  expect(() => parse(args)).toThrow(message);
});
