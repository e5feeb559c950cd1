import { describe, expect, test } from 'bun:test';
import { readInstructions } from '../instructions/read-instructions.ts';
import { parseDockerfile } from '../parser/parse-dockerfile.ts';
import { declareArg, globalArgs, PROXY_ARGS, platformArgs } from './arg-scope.ts';

const linux = { os: 'linux', architecture: 'arm64', variant: 'v8' };
const metaArgsOf = (text: string) => readInstructions(parseDockerfile(`${text}\nFROM scratch\n`)).metaArgs;
const none = new Map<string, string>();

test('platformArgs() names both platforms and the stage; --build-arg overrides', () => {
  const windows = { os: 'windows', architecture: 'amd64', osVersion: '10.0.1' };
  const args = platformArgs({
    buildPlatform: linux,
    targetPlatform: windows,
    targetStage: '',
    buildArgs: new Map([['TARGETARCH', 'mine']]),
  });
  expect(Object.fromEntries(args)).toEqual({
    BUILDPLATFORM: 'linux/arm64/v8',
    BUILDOS: 'linux',
    BUILDOSVERSION: '',
    BUILDARCH: 'arm64',
    BUILDVARIANT: 'v8',
    TARGETPLATFORM: 'windows(10.0.1)/amd64',
    TARGETOS: 'windows',
    TARGETOSVERSION: '10.0.1',
    TARGETARCH: 'mine',
    TARGETVARIANT: '',
    TARGETSTAGE: 'default',
  });
});

describe('globalArgs()', () => {
  test('each sees those before it, --build-arg comes first', () => {
    const metaArgs = metaArgsOf('ARG A=1 B=$A$P\nARG C\nARG A=${A}2 D=$C');
    const scope = (buildArgs: Map<string, string>) =>
      globalArgs(metaArgs, { predefined: new Map([['P', 'p']]), buildArgs, escapeToken: '\\' });
    expect(Object.fromEntries(scope(none).variables)).toEqual({ P: 'p', A: '12', B: '1p', D: '' });
    expect([...scope(none).declared]).toEqual(['A', 'B', 'C', 'D']);
    expect(
      Object.fromEntries(
        scope(
          new Map([
            ['C', 'c'],
            ['A', 'a'],
            ['X', 'x'],
          ]),
        ).variables,
      ),
    ).toEqual({
      P: 'p',
      A: 'a',
      B: 'ap',
      C: 'c',
      D: 'c',
    });
  });

  test('a default that is none fails with its lines', () => {
    expect(() =>
      globalArgs(metaArgsOf('\nARG A=${B?x}'), { predefined: none, buildArgs: none, escapeToken: '\\' }),
    ).toThrow(
      expect.objectContaining({
        message: 'failed to process "${B?x}": B: x',
        range: { startLine: 2, endLine: 2 },
      }),
    );
  });
});

test('declareArg() prefers --build-arg, then the own default, then the global one', () => {
  const scope = {
    globals: new Map([['A', 'global']]),
    variables: new Map([['V', 'v']]),
    escapeToken: '\\' as const,
    range: { startLine: 1, endLine: 1 },
  };
  const value = (key: string, text: string | undefined, buildArgs = none) =>
    declareArg({ key, value: text, docComment: '' }, { ...scope, buildArgs });
  expect(value('A', undefined)).toBe('global');
  expect(value('A', '$V')).toBe('v');
  expect(value('A', '')).toBe('');
  expect(value('A', '$V', new Map([['A', '$V']]))).toBe('$V');
  expect(value('B', undefined)).toBeUndefined();
});

test('proxies need no ARG, in either case', () => {
  expect(PROXY_ARGS.has('HTTP_PROXY') && PROXY_ARGS.has('no_proxy')).toBeTrue();
});
