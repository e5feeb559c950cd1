import { expect, test } from 'bun:test';
import { parseChallenges } from './challenge.ts';

test.each([
  [null, []],
  ['', []],
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/busybox:pull,push"',
    [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:library/busybox:pull,push',
        },
      },
    ],
  ],
  ['BASIC Realm=x', [{ scheme: 'basic', parameters: { realm: 'x' } }]],
  ['Basic realm="a \\"quoted\\" one"', [{ scheme: 'basic', parameters: { realm: 'a "quoted" one' } }]],
  [
    'Negotiate, Basic realm="a", Bearer realm="b" , service=c',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'a' } },
      { scheme: 'bearer', parameters: { realm: 'b', service: 'c' } },
    ],
  ],
  ['Bearer realm="unclosed', [{ scheme: 'bearer', parameters: {} }]],
  ['Bearer __proto__="x"', [{ scheme: 'bearer', parameters: JSON.parse('{"__proto__":"x"}') }]],
])('parseChallenges(%j)', (header, expected) => {
  expect(JSON.stringify(parseChallenges(header))).toBe(JSON.stringify(expected));
});

test('a hostile header costs no time', () => {
  const started = performance.now();
  for (const text of [
    `Bearer ${'a=b,'.repeat(1e5)}`,
    `Bearer realm="${'\\'.repeat(1e6)}`,
    ' ,'.repeat(1e6),
    'a '.repeat(1e6),
  ])
    parseChallenges(text);
  expect(performance.now() - started).toBeLessThan(300);
});
