import { expect, test } from 'bun:test';
import { Comparison } from './comparison.ts';
import { commandsOf, keysOf, stepsOf } from './page.ts';
import { screenOf } from './screen.ts';

const fence = '```';

test('commandsOf() takes commands and their output from console blocks alone', () => {
  const page = [
    '# A page',
    '$ not this',
    `${fence}console`,
    '$ docker pull \\',
    '> busybox',
    'latest: Pulling',
    '> is printed',
    '',
    '$ true',
    fence,
    `${fence}sh`,
    '$ nor this',
    fence,
  ].join('\n');
  expect(commandsOf(page)).toEqual([
    { command: 'docker pull \\\nbusybox', printed: ['latest: Pulling', '> is printed'], line: 4 },
    { command: 'true', printed: [], line: 9 },
  ]);
});

test('stepsOf() takes what is typed on several terminals, and the screen that they share, between the commands', () => {
  const page = [
    `${fence}console`,
    '$ before',
    fence,
    `${fence}terminals`,
    '1$ docker attach box',
    '2$ docker attach box',
    '2> echo hi',
    '1> ^P^Q',
    '/ # echo hi',
    'hi',
    '',
    fence,
    `${fence}console`,
    '$ after',
    fence,
  ].join('\n');
  const [before, scene, after] = stepsOf(page);
  expect([before, after]).toMatchObject([{ command: 'before' }, { command: 'after' }]);
  expect(scene).toEqual({
    acts: [
      { terminal: 1, kind: 'start', text: 'docker attach box' },
      { terminal: 2, kind: 'start', text: 'docker attach box' },
      { terminal: 2, kind: 'type', text: 'echo hi' },
      { terminal: 1, kind: 'type', text: '^P^Q' },
    ],
    screen: ['/ # echo hi', 'hi'],
    line: 4,
  });
  expect([keysOf('echo hi'), keysOf('^P^Q'), keysOf('a^b')]).toEqual(['echo hi\r', '\x10\x11', 'a^b\r']);
});

test('screenOf() shows what a terminal shows after progress was drawn over itself', () => {
  const drawn =
    'latest: Pulling from library/busybox\r\n' +
    'aaaa: Pulling fs layer\r\nbbbb: Waiting\r\n' +
    '\x1b[2A\x1b[2K\raaaa: Pull complete\r\x1b[2B' +
    '\x1b[1A\x1b[2K\rbbbb: \x1b[32mDone\x1b[0m\r\x1b[1B' +
    'Digest\r\n';
  expect(screenOf(drawn)).toEqual([
    'latest: Pulling from library/busybox',
    'aaaa: Pull complete',
    'bbbb: Done',
    'Digest',
  ]);
});

const id = (letter: string, length = 12): string => letter.repeat(length);

test('ids may be others, but consistently so, short or whole', () => {
  const comparison = new Comparison();
  const page = [`${id('a')}  busybox`, `sha256:${id('a', 64)}`];
  expect(comparison.difference(page, [`${id('b')}  busybox`, `sha256:${id('b', 64)}`])).toBeUndefined();
  expect(comparison.difference([id('a')], [id('b')])).toBeUndefined();
  expect(comparison.difference([id('a')], [id('c')])).toContain('printed was');
  expect(comparison.difference([id('d')], [id('b')])).toContain('printed was');
});

test('times and sizes may be others, but not nothing', () => {
  const comparison = new Comparison();
  const same = (page: string, printed: string) => comparison.difference([page], [printed]) === undefined;
  expect(same('busybox  2 minutes ago   2.13MB', 'busybox  About an hour ago  987kB')).toBe(true);
  expect(same('busybox  2.13MB', 'busybox  0B')).toBe(false);
  expect(same('busybox  0B', 'busybox  2.13MB')).toBe(false);
  expect(same('2 images', '3 images')).toBe(false);
});

test('an ellipsis stands for text in a line, or for any lines', () => {
  const comparison = new Comparison();
  expect(comparison.difference(['a … c'], ['a b c'])).toBeUndefined();
  expect(comparison.difference(['a', '…', 'd'], ['a', 'b', 'c', 'd'])).toBeUndefined();
  expect(comparison.difference(['a', '…'], ['a'])).toBeUndefined();
  expect(comparison.difference(['a', '…', 'd'], ['a', 'b', 'c'])).toContain('nothing more');
  expect(comparison.difference(['a'], ['a', 'b'])).toContain('not on the page');
});
