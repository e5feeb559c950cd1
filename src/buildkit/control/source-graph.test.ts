import { expect, test } from 'bun:test';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { FileActionCopySchema } from '../protocol/generated/llb_pb.ts';
import { OpSchema } from '../protocol/generated/llb_pb.ts';
import { digestOf, type GraphSource, RESULT_IMAGE, readGraph } from './source-graph.ts';

type Node = NonNullable<MessageInitShape<typeof OpSchema>['op']>;

/** Nodes each on the one before, and the one that names the result, as clients send them. */
function graph(...ops: Node[]): { def: Uint8Array[] } {
  const def: Uint8Array[] = [];
  for (const op of [...ops, undefined]) {
    const below = def.at(-1);
    const inputs = below === undefined ? [] : [{ digest: digestOf(below), index: 0n }];
    def.push(toBinary(OpSchema, create(OpSchema, op === undefined ? { inputs } : { inputs, op })));
  }
  return { def };
}

function source(identifier: string, attrs: Record<string, string> = {}): Node {
  return { case: 'source', value: { identifier, attrs } };
}

function copy(value: MessageInitShape<typeof FileActionCopySchema>, input = -1n): Node {
  const action = { case: 'copy', value: { dest: '/', ...value } } as const;
  return { case: 'file', value: { actions: [{ input, secondaryInput: 0n, output: 0n, action }] } };
}

const git = source('git://host/x.git#v1', { 'git.fullurl': 'https://host/x.git' });
const http = source('https://host/x.tgz', { 'http.filename': 'context' });

test.each<[string, Node[], GraphSource]>([
  ['a repository', [git], { type: 'remote', url: 'https://host/x.git#v1' }],
  ['one without its URL', [source('git://host/x.git')], { type: 'remote', url: 'https://host/x.git' }],
  [
    'one of a commit, with its history',
    [source('git://host/x.git', { 'git.keepgitdir': 'true', 'git.checksum': 'abc' })],
    { type: 'remote', url: 'https://host/x.git?checksum=abc&keep-git-dir=true' },
  ],
  [
    'a directory of one',
    [git, copy({ src: '/a/./b', dirCopyContents: true })],
    { type: 'remote', url: 'https://host/x.git#v1:a/b' },
  ],
  [
    'a directory of a directory of one that is spoken to by ssh',
    [
      source('git://host/x#:a', { 'git.fullurl': 'ssh://git@host/x' }),
      copy({ src: '/b', dirCopyContents: true }),
    ],
    { type: 'remote', url: 'ssh://git@host/x#:a/b' },
  ],
  [
    'a directory of one at GitHub',
    [source('git://github.com/o/r#v1'), copy({ src: '/a', dirCopyContents: true })],
    { type: 'remote', url: 'github.com/o/r#v1:a' },
  ],
  ['a file', [http], { type: 'file', url: 'https://host/x.tgz', name: 'context', checksum: undefined }],
  [
    'an archive',
    [http, copy({ src: '/context', attemptUnpackDockerCompatibility: true })],
    { type: 'remote', url: 'https://host/x.tgz' },
  ],
  ['a result of ours', [source(`${RESULT_IMAGE}sha256:1`)], { type: 'image', reference: 'sha256:1' }],
])('%s', (_, nodes, expected) => {
  expect(readGraph(graph(...nodes))).toEqual(expected);
  // Old clients send no node that names the result.
  expect(readGraph({ def: graph(...nodes).def.slice(0, -1) })).toEqual(expected);
});

test.each<[string, Node[]]>([
  ['nothing', []],
  ['an image', [source('docker-image://docker.io/library/busybox')]],
  ["the client's own files", [source('local://context')]],
  ['an op that is none of these', [git, { case: undefined }]],
  ['a directory of an archive', [http, copy({ src: '/sub', dirCopyContents: true })]],
  ['a directory itself', [git, copy({ src: '/a' })]],
  ['a part of a directory', [git, copy({ src: '/a', dirCopyContents: true, excludePatterns: ['x'] })]],
  ['a way out', [git, copy({ src: '/../a', dirCopyContents: true })]],
  ['files of this host', [source('git://x', { 'git.fullurl': 'file:///etc' })]],
  ['a program', [source('git://x', { 'git.fullurl': 'ext::sh -c id' })]],
  ['a repository that only git would take for one', [source('git://x', { 'git.fullurl': 'https://host/x' })]],
  ['a copy to elsewhere', [git, copy({ src: '/a', dest: '/b', dirCopyContents: true })]],
  ['a copy onto something', [git, copy({ src: '/a', dirCopyContents: true }, 0n)]],
  ['too many nodes', Array.from({ length: 20 }, () => copy({ src: '/', dirCopyContents: true }))],
])('%s is refused', (_, nodes) => {
  expect(() => readGraph(graph(...nodes))).toThrow('building a graph is not implemented');
});

test('what is no graph is refused', () => {
  expect(() => readGraph({ def: [] })).toThrow('building a graph is not implemented');
  expect(() => readGraph({ def: [new Uint8Array([0xff, 0xff])] })).toThrow('failed to parse llb proto op');
});
