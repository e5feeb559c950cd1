import { expect, test } from 'bun:test';
import { journalLimits } from './journal-limits.ts';
import { attributesText, logAttributes } from './log-attributes.ts';
import { checkLogOptions, withLogDefaults } from './log-options.ts';

const file = (config: Record<string, string>) => ({ type: 'json-file', config });

test.each<[string, Record<string, string>, string]>([
  ['json-file', { nope: '1' }, "unknown log opt 'nope' for json-file log driver"],
  ['local', { tag: 'x' }, "unknown log opt 'tag' for log driver local"],
  ['syslog', { nope: '1' }, "unknown log opt 'nope' for syslog log driver"],
  ['journald', { nope: '1' }, "unknown log opt 'nope' for journald log driver"],
  ['nope', {}, 'error looking up logging plugin nope: plugin "nope" not found'],
  ['', { mode: 'x' }, 'logger: logging mode not supported: x'],
  [
    'local',
    { 'max-buffer-size': '1m' },
    "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
  ],
  [
    '',
    { mode: 'non-blocking', 'max-buffer-size': 'zz' },
    "error parsing option max-buffer-size: invalid size: 'zz'",
  ],
  ['syslog', { 'syslog-address': 'foo://x' }, "unsupported scheme: 'foo'"],
  ['syslog', { 'syslog-address': 'udp://x:1:2' }, 'address x:1:2: too many colons in address'],
  ['syslog', { 'syslog-address': 'unix:///nonexist' }, 'stat /nonexist: no such file or directory'],
  ['syslog', { 'syslog-facility': 'foo' }, 'invalid syslog facility'],
  ['syslog', { 'syslog-format': 'foo' }, 'Invalid syslog format'],
])('%s %p is refused when a container is made: %s', (type, config, message) =>
  expect(() => checkLogOptions({ type, config })).toThrow(message),
);

test.each<[Record<string, string>, string]>([
  [{ 'max-size': 'x' }, "invalid size: 'x'"],
  [{ 'max-size': '0' }, 'max-size must be a positive number'],
  [{ 'max-file': '0' }, 'max-file cannot be less than 1'],
  [{ 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
  [{ compress: 'true' }, 'compress cannot be true when max-file is less than 2 or max-size is not set'],
  [{ compress: 'x', 'max-size': '1m', 'max-file': '2' }, 'strconv.ParseBool: parsing "x": invalid syntax'],
])('%p is refused when a container starts: %s', (config, message) =>
  expect(() => journalLimits(file(config))).toThrow(message),
);

test('a log has an end unless somebody wants none', () => {
  const plain = { maxFileBytes: 20e6, maxFiles: 5, compress: false };
  expect(journalLimits(file({}))).toEqual(plain);
  expect(journalLimits({ type: '', config: {} })).toEqual(plain);
  expect(journalLimits(file({ 'max-size': '10k' }))).toEqual({
    maxFileBytes: 10_000,
    maxFiles: 1,
    compress: false,
  });
  expect(journalLimits(file({ 'max-size': '-1' }))?.maxFileBytes).toBe(Number.POSITIVE_INFINITY);
  const packed = { ...plain, compress: true };
  expect(journalLimits({ type: 'local', config: {} })).toEqual(packed);
  expect(journalLimits({ type: 'syslog', config: {} })).toEqual(packed);
  expect(
    journalLimits({ type: 'journald', config: { 'cache-max-size': '1m', 'cache-compress': 'false' } }),
  ).toEqual({
    maxFileBytes: 1e6,
    maxFiles: 5,
    compress: false,
  });
  expect(journalLimits({ type: 'syslog', config: { 'cache-disabled': 'true' } })).toBeUndefined();
  expect(journalLimits({ type: 'none', config: {} })).toBeUndefined();
  expect(() => journalLimits({ type: 'local', config: { 'max-file': '1', compress: 'true' } })).toThrow(
    'compression cannot be enabled when max file count is 1',
  );
  expect(() => journalLimits({ type: 'local', config: { 'max-size': 'x' } })).toThrow(
    "invalid value for max-size: x: invalid size: 'x'",
  );
});

test("the daemon's options go to containers of the daemon's driver", () => {
  const defaults = { type: 'local', config: { 'max-size': '1m', 'max-file': '2' } };
  expect(withLogDefaults({ type: '', config: { 'max-file': '3' } }, defaults)).toEqual({
    type: 'local',
    config: { 'max-size': '1m', 'max-file': '3' },
  });
  expect(withLogDefaults({ type: 'json-file', config: {} }, defaults)).toEqual({
    type: 'json-file',
    config: {},
  });
});

test('attributes are sorted and escaped as Docker does', () => {
  const container = { labels: { a: 'b c', other: 'x' }, env: ['X=1,2', 'HOME=/root', 'PATH=/bin'] };
  const options = file({ labels: 'a,q', env: 'X', 'env-regex': '^H' });
  expect(attributesText(logAttributes(container, options, 'n/1|i'))).toBe(
    'HOME=%2Froot,X=1%2C2,a=b+c,tag=n%2F1%7Ci',
  );
  expect(() => logAttributes(container, file({ 'labels-regex': '(' }), '')).toThrow(
    'error parsing regexp: missing closing ): `(`',
  );
});
