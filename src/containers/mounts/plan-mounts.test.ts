import { describe, expect, test } from 'bun:test';
import { EngineError } from '../../errors/engine-error.ts';
import type { ContainerImage, HostOptions } from '../container.ts';
import { testHost } from '../testing/service-fixture.ts';
import type { MountPoint, MountRequest } from './mount-point.ts';
import { parseBind } from './parse-bind.ts';
import { planMounts } from './plan-mounts.ts';

const image = { id: 'sha256:1' } as unknown as ContainerImage;

interface Wanted {
  volumes?: string[];
  host?: Partial<HostOptions>;
  others?: Record<string, MountPoint[]>;
}

function planOf({ volumes = [], host = {}, others = {} }: Wanted) {
  return planMounts({ volumes }, testHost(host), {
    mountsOf: (name) => {
      const mounts = others[name];
      if (mounts === undefined) throw new EngineError('not-found', `No such container: ${name}`);
      return mounts;
    },
    images: new Map([['box', image]]),
    faults: new Map([['/no/such', 'ENOENT']]),
  });
}

const mount = (type: string, change: Partial<MountRequest> = {}): MountRequest => ({
  type,
  source: '',
  target: '/t',
  readOnly: false,
  consistency: '',
  ...change,
});
const placesOf = (wanted: Wanted) => planOf(wanted).points.map(({ destination }) => destination);
const volume = (name: string, destination: string, change: object = {}): MountPoint => ({
  type: 'volume',
  name,
  destination,
  readWrite: true,
  mode: 'z',
  anonymous: false,
  device: false,
  subpath: '',
  ...change,
});

test('declared volumes: places are made plain, each once, parents first', () => {
  const volumes = ['/data/own/', '/data/../data', 'rel', '/data/own', '/a//b/.'];
  expect(placesOf({ volumes })).toEqual(['/a/b', '/data', '/data/own', '/rel']);
  expect(placesOf({ volumes: ['/../../etc'] })).toEqual(['/etc']);
});

test('where something else is mounted, no declared volume is made', () => {
  const host = {
    binds: ['/x:/a:ro', 'named:/d'],
    tmpfs: { '/b/': '' },
    mounts: [mount('tmpfs', { target: '/e' })],
  };
  const plan = planOf({ volumes: ['/a', '/b', '/c', '/d', '/e'], host });
  expect(plan.points.map(({ destination, type }) => [destination, type])).toEqual([
    ['/a', 'bind'],
    ['/d', 'volume'],
    ['/e', 'tmpfs'],
    ['/c', 'volume'],
  ]);
  expect([...plan.copies]).toEqual([
    ['/d', { declared: false }],
    ['/c', { declared: true }],
  ]);
});

test('the root is no place for a volume', () => {
  for (const text of ['/', '', '/x/..'])
    expect(() => planOf({ volumes: [text] }), text).toThrow("can't be '/'");
  expect(() => planOf({ volumes: ['/a\0b'] })).toThrow('invalid volume specification');
});

test("others' mounts come without their mode, and give way to binds", () => {
  const bind = parseBind('/tmp:/t:ro,rslave') as MountPoint;
  const src = [volume('n', '/data'), bind, volume('aa', '/anon', { anonymous: true, mode: '' })];
  const plan = planOf({
    volumes: ['/anon', '/data'],
    host: { volumesFrom: ['src', 'second:ro'], binds: ['/var:/data'] },
    others: { src, second: [volume('m', '/data'), volume('m', '/m')] },
  });
  expect(plan.points).toMatchObject([
    { destination: '/data', type: 'bind', source: '/var' },
    { destination: '/t', mode: '', readWrite: false, propagation: 'rslave' },
    { destination: '/anon', name: 'aa', anonymous: true, readWrite: true },
    { destination: '/m', name: 'm', mode: '', readWrite: false },
  ]);
  expect([plan.volumes.size, plan.copies.size]).toEqual([0, 0]);
});

test('what a mount wants of its volume is what the volume is made with', () => {
  const plan = planOf({
    host: {
      mounts: [
        mount('volume', {
          source: 'data',
          volume: {
            noCopy: true,
            labels: { l: 'v' },
            subpath: '',
            driver: { name: 'local', options: { type: 'tmpfs', device: 'tmpfs' } },
          },
        }),
        mount('volume', { target: '/anon' }),
        mount('volume', { target: '/sub', source: 'data', volume: { noCopy: false, subpath: 'a/b' } }),
      ],
    },
  });
  const [data, anonymous] = plan.volumes.values();
  expect(data).toEqual({
    name: 'data',
    anonymous: false,
    driver: 'local',
    labels: { l: 'v' },
    options: { type: 'tmpfs', device: 'tmpfs' },
  });
  expect(anonymous).toMatchObject({ anonymous: true, name: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect([...plan.copies.keys()]).toEqual(['/anon']);
  expect(plan.points[2]).toMatchObject({ name: 'data', subpath: 'a/b', mode: 'z' });
});

test('a tmpfs of a mount has the words of --tmpfs, an image is read-only', () => {
  const tmpfs = { sizeBytes: 1_048_576, mode: 0o700, options: [['exec'], ['noexec', 'x']] };
  const { points } = planOf({
    host: {
      mounts: [mount('tmpfs', { readOnly: true, tmpfs }), mount('image', { source: 'box', target: '/i' })],
    },
  });
  expect(points).toMatchObject([
    { type: 'tmpfs', options: 'ro,mode=700,size=1048576,exec,noexec=x', readWrite: false },
    { type: 'image', name: 'box', image, readWrite: false, subpath: '' },
  ]);
});

test('what lies below a read-only bind follows the three words of its recursion', () => {
  const bind = {
    propagation: 'rslave',
    nonRecursive: true,
    createMountpoint: true,
    readOnlyNonRecursive: true,
    readOnlyForceRecursive: false,
  };
  const one = (change: object) =>
    planOf({ host: { mounts: [mount('bind', { source: '/tmp', bind: { ...bind, ...change } })] } }).points[0];
  expect(one({})).toMatchObject({ nonRecursive: true, createSource: true, readOnlyBelow: 'never' });
  expect(one({ readOnlyForceRecursive: true })).toMatchObject({
    readOnlyBelow: 'always',
    propagation: 'rslave',
  });
  expect(one({ readOnlyNonRecursive: false, propagation: '' })).toMatchObject({
    readOnlyBelow: 'try',
    propagation: 'rprivate',
  });
});

const config = (type: string, why: string) => `invalid mount config for type "${type}": ${why}`;
const binding = (change: object = {}) => mount('bind', { source: '/tmp', ...change });
const noBind = {
  propagation: '',
  nonRecursive: false,
  createMountpoint: false,
  readOnlyNonRecursive: false,
  readOnlyForceRecursive: false,
};
const noVolume = { noCopy: false, subpath: '' };

// Recorded from Docker 28.5, status 400 but for the absent image.
test.each<[MountRequest, string]>([
  [binding({ source: '/no/such' }), config('bind', 'bind source path does not exist: /no/such')],
  [binding({ source: 'rel' }), config('bind', "invalid mount path: 'rel' mount path must be absolute")],
  [binding({ source: '' }), config('bind', 'field Source must not be empty')],
  [binding({ target: '' }), config('bind', 'field Target must not be empty')],
  [binding({ target: '/' }), config('bind', "invalid specification: destination can't be '/'")],
  [binding({ target: 'rel' }), config('bind', "invalid mount path: 'rel' mount path must be absolute")],
  [binding({ bind: { ...noBind, propagation: 'bogus' } }), config('bind', 'invalid propagation mode: bogus')],
  [binding({ volume: noVolume }), 'VolumeOptions must not be specified on mount type "bind"'],
  [binding({ tmpfs: { sizeBytes: 1, mode: 0 } }), 'TmpfsOptions must not be specified on mount type "bind"'],
  [binding({ image: { subpath: 'x' } }), config('bind', 'field ImageOptions must not be specified')],
  [
    mount('volume', { source: 'n', bind: noBind }),
    'BindOptions must not be specified on mount type "volume"',
  ],
  [
    mount('volume', { readOnly: true }),
    config('volume', 'must not set ReadOnly mode when using anonymous volumes'),
  ],
  [
    mount('volume', { volume: { ...noVolume, subpath: 'sub' } }),
    config('volume', 'must not set Subpath when using anonymous volumes'),
  ],
  ...['../sub', '/sub', 'a/../../b'].map((subpath): [MountRequest, string] => [
    mount('volume', { source: 'n', volume: { ...noVolume, subpath } }),
    config('volume', 'subpath must be a relative path within the volume'),
  ]),
  [
    mount('tmpfs', { tmpfs: { sizeBytes: 0, mode: 0, options: [['bogus']] } }),
    config('tmpfs', 'invalid option: bogus'),
  ],
  [
    mount('tmpfs', { tmpfs: { sizeBytes: 0, mode: 0, options: [['a', 'b', 'c']] } }),
    config('tmpfs', 'invalid option array length'),
  ],
  [mount('tmpfs', { source: 'x' }), config('tmpfs', 'field Source must not be specified')],
  [mount('image'), config('image', 'field Source must not be empty')],
  [
    mount('image', { source: 'box', image: { subpath: '/data' } }),
    config('image', 'subpath must be a relative path within the volume'),
  ],
  [mount('npipe', { source: 'x' }), config('npipe', 'mount type unknown')],
  [mount('cluster', { source: 'x' }), config('cluster', 'mount type unknown')],
  [mount('', { source: 'x' }), config('', 'mount type unknown')],
])('a mount %j is refused', (request, message) => {
  expect(() => planOf({ host: { mounts: [request] } })).toThrow(
    expect.objectContaining({ kind: 'invalid', message }) as unknown as Error,
  );
});

test.each<[Partial<HostOptions>, string]>([
  [{ binds: ['/tmp:/t', '/var:/t/'] }, 'Duplicate mount point: /t'],
  [{ binds: ['/tmp:/t'], tmpfs: { '/t': '' } }, 'Duplicate mount point: /t'],
  [{ binds: ['/tmp:/t'], mounts: [mount('tmpfs')] }, 'Duplicate mount point: /t'],
  [{ mounts: [mount('tmpfs'), mount('volume', { target: '/t/' })] }, 'Duplicate mount point: /t/'],
  [{ volumesFrom: [''] }, 'volumes-from specification cannot be an empty string'],
  [{ volumesFrom: ['src:rslave'] }, 'invalid mode: rslave'],
  [{ volumesFrom: ['src:nocopy'] }, 'invalid mode: nocopy'],
  [{ volumesFrom: ['src:bogus'] }, 'invalid mode: bogus'],
  [{ volumesFrom: ['src:ro:rw'] }, 'invalid mode: ro:rw'],
  [{ volumesFrom: ['nosuch'] }, 'No such container: nosuch'],
])('%j is refused', (host, message) => {
  expect(() => planOf({ host, others: { src: [] } })).toThrow(
    expect.objectContaining({ kind: 'invalid', message }) as unknown as Error,
  );
});

test('a tmpfs hides a mount at the same place, which is told of all the same', () => {
  expect(placesOf({ host: { tmpfs: { '/t': '' }, mounts: [binding()] } })).toEqual(['/t']);
});

describe('a bind near the data root', () => {
  const bindsOf = (host: Partial<HostOptions>) =>
    planMounts({ volumes: [] }, testHost(host), {
      mountsOf: () => [],
      images: new Map(),
      faults: new Map(),
      dataRoot: '/var/lib/own',
    }).points.map((point) => point.type === 'bind' && [point.propagation, point.propagationImplied]);
  const asked = (source: string, propagation: string): Partial<HostOptions>[] => [
    { binds: [`${source}:/t${propagation === '' ? '' : `:${propagation}`}`] },
    {
      mounts: [
        mount('bind', {
          source,
          bind: {
            propagation,
            nonRecursive: false,
            createMountpoint: false,
            readOnlyNonRecursive: false,
            readOnlyForceRecursive: false,
          },
        }),
      ],
    },
  ];

  test.each(['/', '/var/lib', '/var/lib/own', '/var/lib/own/volumes'])('%s: sees later mounts', (source) => {
    for (const host of asked(source, '')) expect(bindsOf(host)).toEqual([['rslave', true]]);
    for (const word of ['rslave', 'rshared'])
      for (const host of asked(source, word)) expect(bindsOf(host)).toEqual([[word, undefined]]);
  });

  test('one that keeps mounts alive is refused in the words of Docker', () => {
    for (const word of ['private', 'rprivate', 'slave', 'shared'])
      for (const host of asked('/var', word))
        expect(() => bindsOf(host)).toThrow(
          `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "/var/lib/own", bind mount source: "/var", propagation: "${word}"`,
        );
  });

  test('what only begins like it is as everywhere', () => {
    for (const host of asked('/var/lib/own2', '')) expect(bindsOf(host)).toEqual([['rprivate', undefined]]);
  });
});
