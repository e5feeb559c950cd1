import { describe, expect, test } from 'bun:test';
import type { NamedContext } from '../../builder/build-request.ts';
import type { BuildSession } from '../../builder/build-session.ts';
import { type Attributes, buildRequestOf, cacheTarget } from './build-attributes.ts';

const session = {} as BuildSession;

function requestOf(attributes: Attributes, inputs: [string, NamedContext][] = []) {
  return buildRequestOf(attributes, {
    session,
    outputs: [],
    cacheFrom: [],
    cacheTo: [],
    entitlements: [],
    inputs: new Map(inputs),
  });
}

describe('buildRequestOf()', () => {
  test.each<[Attributes, object]>([
    [{}, { context: { type: 'local' }, dockerfile: { from: 'session', path: 'Dockerfile' }, target: '' }],
    [{ filename: 'deep/My.Dockerfile' }, { dockerfile: { from: 'session', path: 'deep/My.Dockerfile' } }],
    [
      { context: 'https://host/repo.git#v1:sub' },
      {
        context: { type: 'remote', url: 'https://host/repo.git#v1:sub' },
        dockerfile: { from: 'context', path: 'Dockerfile' },
      },
    ],
    [
      { context: 'git@host:repo.git', dockerfilekey: 'dockerfile' },
      { context: { type: 'remote' }, dockerfile: { from: 'session', path: 'Dockerfile' } },
    ],
    [{ dockerfilekey: 'context' }, { context: { type: 'local' }, dockerfile: { from: 'context' } }],
    [{ 'no-cache': '' }, { noCache: true, noCacheStages: [] }],
    [{ 'no-cache': 'one,two' }, { noCache: false, noCacheStages: ['one', 'two'] }],
    [{ 'image-resolve-mode': 'pull' }, { pull: true }],
    [{ 'image-resolve-mode': 'local' }, { pull: false }],
    [{ 'force-network-mode': 'sandbox' }, { network: '' }],
    [{ 'force-network-mode': 'none' }, { network: 'none' }],
    [{ 'add-hosts': 'a=1.2.3.4,b=::1' }, { extraHosts: ['a:1.2.3.4', 'b:::1'] }],
    [{ 'shm-size': '67108864' }, { limits: { shmSizeBytes: 67_108_864 } }],
    [
      { ulimit: 'nofile=10:20,nproc=5' },
      {
        limits: {
          ulimits: [
            { name: 'nofile', soft: 10, hard: 20 },
            { name: 'nproc', soft: 5, hard: 5 },
          ],
        },
      },
    ],
    [{ requestid: 'frontend.lint' }, { describe: 'lint', checkOnly: false }],
    [{ 'build-arg:SOURCE_DATE_EPOCH': '86400' }, { sourceDateEpoch: '86400' }],
    [
      { 'cache-imports': '[{"Type":"registry","Attrs":{"ref":"r/x"}}]', 'cache-from': 'r/y' },
      {
        cacheFrom: [
          { type: 'registry', attributes: { ref: 'r/x' } },
          { type: 'registry', attributes: { ref: 'r/y' } },
        ],
      },
    ],
  ])('%j', (attributes, expected) => {
    expect(requestOf(attributes)).toMatchObject(expected);
  });

  test('takes build arguments, labels and named contexts by their prefixes', () => {
    const inputs: [string, NamedContext][] = [['bottom::linux', { type: 'image', reference: 'sha256:abc' }]];
    const request = requestOf(
      {
        'build-arg:WHO': 'me',
        'build-arg:EMPTY': '',
        'label:a.b': 'c=d',
        'context:base': 'docker-image://busybox',
        'context:files': 'local:files',
        'context:linked': 'input:bottom::linux',
        'context:source': 'https://host/x.git',
      },
      inputs,
    );
    expect([...request.buildArgs]).toEqual([
      ['WHO', 'me'],
      ['EMPTY', ''],
    ]);
    expect([...request.labels]).toEqual([['a.b', 'c=d']]);
    expect([...request.namedContexts]).toEqual([
      ['base', { type: 'image', reference: 'busybox' }],
      ['files', { type: 'local', name: 'files' }],
      ['linked', { type: 'image', reference: 'sha256:abc' }],
      ['source', { type: 'remote', url: 'https://host/x.git' }],
    ]);
  });

  test('takes contexts and Dockerfiles that are inputs of the client', () => {
    const input = { type: 'remote', url: 'https://host/x.git#:sub' } as const;
    const here = { from: 'context', path: 'D' };
    const beside = { from: 'session', path: 'D' };
    const filename = { filename: 'D' };
    expect(requestOf(filename, [['context', input]])).toMatchObject({ context: input, dockerfile: beside });
    const both: [string, NamedContext][] = [
      ['context', input],
      ['dockerfile', input],
    ];
    expect(requestOf(filename, both)).toMatchObject({ context: input, dockerfile: here });
    const key = { ...filename, dockerfilekey: 'dockerfile' };
    expect(requestOf(key, both)).toMatchObject({ context: input, dockerfile: beside });
    // A URL of the attributes comes first.
    const url = 'https://host/other.git';
    const named = requestOf({ ...filename, context: url }, [['context', { type: 'image', reference: 'x' }]]);
    expect(named).toMatchObject({ context: { type: 'remote', url }, dockerfile: here });
    expect(() => requestOf({}, [['context', { type: 'image', reference: 'x' }]])).toThrow('a build result');
    expect(() => requestOf({}, [['dockerfile', input]])).toThrow('another place than its context');
  });

  test.each<[Attributes, string]>([
    [{ 'force-network-mode': 'bridge' }, 'invalid netmode bridge'],
    [{ 'context:x': 'nothing' }, 'invalid context specifier nothing for x'],
    [{ 'context:x': 'ftp://host' }, 'unsupported context source ftp for x'],
    [{ 'context:x': 'input:gone' }, 'invalid input gone for x'],
    [{ 'cache-imports': '{' }, 'failed to unmarshal cache-imports'],
    [{ ulimit: 'x' }, 'failed to parse ulimit: invalid ulimit argument: x'],
  ])('refuses %j', (attributes, message) => {
    expect(() => requestOf(attributes)).toThrow(message);
  });
});

test('cacheTarget() knows the modes and the kinds', () => {
  expect(cacheTarget('local', { mode: 'max', dest: '/d' })).toMatchObject({ type: 'local', mode: 'max' });
  expect(cacheTarget('inline', {})).toMatchObject({ mode: 'min' });
  expect(() => cacheTarget('local', { mode: 'all' })).toThrow('unsupported cache export mode: all');
  expect(() => cacheTarget('s3', {})).toThrow('unknown cache type: "s3"');
});
