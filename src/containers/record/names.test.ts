import { expect, test } from 'bun:test';
import { checkName, generateName } from './names.ts';

test('generateName() gives names that pass checkName() and are free', () => {
  const taken = new Set<string>();
  for (let count = 0; count < 5000; count++) {
    const name = checkName(generateName((candidate) => taken.has(candidate)));
    expect(taken.has(name)).toBe(false);
    taken.add(name);
  }
});

test.each(['', 'a', '-ab', 'a b', 'a/b', '../x', 'ä1', '.x'])(
  'checkName(%p) is refused in the words of Docker',
  (name) => {
    expect(() => checkName(name)).toThrow(
      `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  },
);

test('checkName() takes the leading slash of old clients away', () =>
  expect(checkName('/web-1')).toBe('web-1'));
