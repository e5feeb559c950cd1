import type { FakeAnswer } from './fake-daemon.ts';

const lines = (...messages: object[]) =>
  `${messages.map((message) => JSON.stringify(message)).join('\r\n')}\r\n`;
const bar = (id: string, status: string, current?: number, total?: number) => ({
  status,
  progressDetail: current === undefined ? {} : { current, total },
  id,
});
const descriptor = (letter: string) => ({
  mediaType: 'application/vnd.oci.image.index.v1+json',
  digest: `sha256:${letter.repeat(64)}`,
  size: 500,
});

/** A daemon's answers to what moves images: streams as Docker sends them. */
export const TRANSFER_ANSWERS: Record<string, FakeAnswer> = {
  'POST /images/create': {
    body: lines(
      { status: 'Pulling from team/app', id: '1.0' },
      bar('aaaaaaaaaaaa', 'Pulling fs layer'),
      bar('bbbbbbbbbbbb', 'Pulling fs layer'),
      bar('aaaaaaaaaaaa', 'Downloading', 1_500_000, 3_000_000),
      bar('bbbbbbbbbbbb', 'Downloading', 700),
      bar('aaaaaaaaaaaa', 'Download complete'),
      bar('bbbbbbbbbbbb', 'Extracting', 5, 4),
      { ...bar('bbbbbbbbbbbb', 'Waiting'), progressDetail: { current: 3, total: 4, units: 's' } },
      bar('aaaaaaaaaaaa', 'Pull complete'),
      { status: `Digest: sha256:${'d'.repeat(64)}` },
      { status: 'Status: Downloaded newer image for registry.example.com/team/app:1.0' },
    ),
  },
  'POST /images/registry.example.com/team/app/push': {
    body: lines(
      { status: 'The push refers to repository [registry.example.com/team/app]' },
      bar('aaaaaaaaaaaa', 'Preparing'),
      bar('aaaaaaaaaaaa', 'Pushing', 512, 1024),
      bar('aaaaaaaaaaaa', 'Pushed'),
      { status: `1.0: digest: sha256:${'e'.repeat(64)} size: 740` },
      { progressDetail: {}, aux: { Tag: '1.0', Digest: `sha256:${'e'.repeat(64)}`, Size: 740 } },
      {
        aux: {
          manifestPushedInsteadOfIndex: true,
          originalIndex: descriptor('a'),
          selectedManifest: descriptor('b'),
        },
      },
    ),
  },
  'POST /images/registry.example.com/team/broken/push': {
    body: lines(
      { status: 'The push refers to repository [registry.example.com/team/broken]' },
      { aux: { contentMissing: true } },
      { errorDetail: { message: 'missing content: not found' }, error: 'missing content: not found' },
    ),
  },
  'POST /images/load': {
    body: lines(bar('aaaaaaaaaaaa', 'Loading layer', 1024, 2048), { stream: 'Loaded image: app:1\n' }),
  },
  'GET /images/get': { type: 'application/x-tar', body: 'an archive of images' },
  'GET /containers/web/export': { type: 'application/x-tar', body: 'a file system' },
  'GET /containers/web/changes': {
    body: [
      { Path: '/note', Kind: 1 },
      { Path: '/bin', Kind: 0 },
      { Path: '/bin/vi', Kind: 2 },
    ],
  },
  'GET /containers/new/changes': { body: null },
  'POST /commit': { status: 201, body: { Id: `sha256:${'c'.repeat(64)}` } },
  'GET /containers/gone/export': { status: 404, body: { message: 'No such container: gone' } },
};
