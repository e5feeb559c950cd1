import { describe, expect, test } from 'bun:test';
import { parseDockerfile } from '../parser/parse-dockerfile.ts';
import { readInstructions } from './read-instructions.ts';
import { findTarget, resolveStageNames } from './stage-names.ts';

const stagesOf = (text: string) => readInstructions(parseDockerfile(text)).stages;
function linksOf(text: string) {
  const stages = stagesOf(text);
  return resolveStageNames(
    stages,
    stages.map(({ base }) => base),
    '\\',
  ).map(({ base, sources }) => ({
    base,
    sources: [...sources.values()],
  }));
}
const stage = (index: number) => ({ kind: 'stage', index });

describe('resolveStageNames()', () => {
  test('FROM sees what comes before it, the last of a name', () => {
    expect(
      linksOf('FROM x AS a\nFROM a AS a\nFROM a\nFROM b AS b\nFROM scratch\nFROM A').map(({ base }) => base),
    ).toEqual([
      { kind: 'image', name: 'x' },
      stage(0),
      stage(1),
      { kind: 'image', name: 'b' },
      { kind: 'scratch' },
      { kind: 'image', name: 'A' },
    ] as never);
  });

  test('--from and mounts see all stages, whatever the case, and numbers', () => {
    const [first, second] = linksOf(
      'FROM scratch AS a\nCOPY --from=B x y\nCOPY --from=0 x y\nCOPY x y\nFROM scratch AS b\n' +
        'RUN --mount=from=A,target=/a --mount=from=img:1,target=/b --mount=type=cache,target=/c true\nCOPY --from=scratch x y',
    );
    expect(first?.sources as unknown[]).toEqual([[stage(1)], [stage(0)]]);
    expect(second?.sources as unknown[]).toEqual([
      [stage(0), { kind: 'image', name: 'img:1' }, { kind: 'context' }],
      [{ kind: 'scratch' }],
    ]);
  });

  test.each([
    ['5', 'invalid stage index 5'],
    ['-1', 'invalid stage index -1'],
    ['$x', 'variable expansion is not supported for --from'],
  ])('refuses --from=%s', (from, message) => {
    expect(() => linksOf(`FROM scratch\nCOPY --from=${from} a b`)).toThrow(message);
  });
});

test('findTarget() knows names, whatever the case, and suggests', () => {
  const stages = stagesOf('FROM x AS a\nFROM x AS build\nFROM x');
  expect([findTarget(stages, ''), findTarget(stages, 'A'), findTarget(stages, 'build')]).toEqual([2, 0, 1]);
  expect(() => findTarget(stages, 'biuld')).toThrow(
    'target stage "biuld" could not be found (did you mean build?)',
  );
});
