import type { FakeAnswer } from './fake-daemon.ts';

/** What a daemon with the content-addressed store says of two images, a nameless one, and what they take up. */
export function imageAnswers(now: number): Record<string, FakeAnswer> {
  const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
  const manifest = (letter: string, more: object) => ({
    ID: digest(letter),
    Descriptor: {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: digest(letter),
      size: 480,
    },
    ...more,
  });
  const app = {
    Id: digest('a'),
    ParentId: '',
    RepoTags: ['registry.example.com/team/application-server:2.4.1', 'app:1'],
    RepoDigests: [`app@${digest('a')}`],
    Created: now - 200,
    Size: 48_300_000,
    SharedSize: 1_500_000,
    Labels: { b: 'c', a: 'x' },
    Containers: 1,
    Manifests: [
      manifest('b', {
        Available: true,
        Size: { Content: 3_300_000, Total: 44_000_000 },
        Kind: 'image',
        ImageData: {
          Platform: { architecture: 'amd64', os: 'linux' },
          Size: { Unpacked: 40_700_000 },
          Containers: ['c1'],
        },
      }),
      manifest('c', {
        Available: false,
        Size: { Content: 0, Total: 0 },
        Kind: 'image',
        ImageData: {
          Platform: { architecture: 'arm64', os: 'linux', variant: 'v8' },
          Size: { Unpacked: 0 },
          Containers: [],
        },
      }),
      manifest('d', {
        Available: true,
        Size: { Content: 1_000_000, Total: 1_000_000 },
        Kind: 'attestation',
        AttestationData: { For: digest('b') },
      }),
    ],
  };
  const base = {
    Id: digest('e'),
    ParentId: '',
    RepoTags: ['base:latest'],
    RepoDigests: [],
    Created: now - 90_000,
    Size: 1_982_555,
    SharedSize: 0,
    Labels: null,
    Containers: 0,
  };
  const nameless = {
    ...base,
    Id: digest('f'),
    RepoTags: [],
    RepoDigests: [],
    Created: now - 7_000_000,
  };
  const container = {
    Id: '1'.repeat(64),
    Names: ['/web'],
    Image: 'app:1',
    ImageID: digest('a'),
    Command: 'serve --port 80 --verbose',
    Created: now - 100,
    Ports: [],
    SizeRw: 2048,
    SizeRootFs: 50_000_000,
    Labels: {},
    State: 'running',
    Status: 'Up 3 minutes',
    HostConfig: { NetworkMode: 'bridge' },
    NetworkSettings: { Networks: {} },
    Mounts: [{ Type: 'volume', Name: 'data', Source: '', Destination: '/d', Driver: 'local' }],
  };
  const stopped = {
    ...container,
    Id: '2'.repeat(64),
    Names: ['/old'],
    SizeRw: 1000,
    State: 'exited',
    Status: 'Exited (0) 2 days ago',
    Mounts: [],
  };
  const cache = {
    ID: 'abcdefghijklmnopqrstuvwxy',
    Parents: null,
    Type: 'regular',
    Description: 'mount / from exec /bin/sh -c make',
    InUse: false,
    Shared: false,
    Size: 12_345_678,
    CreatedAt: new Date((now - 7200) * 1000).toISOString(),
    LastUsedAt: new Date((now - 3700) * 1000).toISOString(),
    UsageCount: 3,
  };
  return {
    'GET /images/json': { body: [app, base, nameless] },
    'GET /images/search': {
      body: [
        {
          name: 'busybox',
          description: 'Busybox base image.\nSmall, and then some more words so that it is cut',
          star_count: 3321,
          is_official: true,
          is_automated: false,
        },
        { name: 'me/box', description: '', star_count: 0, is_official: false, is_automated: false },
      ],
    },
    'GET /system/df': {
      body: {
        LayersSize: 50_282_555,
        Images: [app, base, nameless],
        Containers: [container, stopped],
        Volumes: [
          {
            Name: 'data',
            Driver: 'local',
            Mountpoint: '/v/data',
            Scope: 'local',
            Labels: null,
            Options: null,
            CreatedAt: '2026-01-01T00:00:00Z',
            UsageData: { Size: 5000, RefCount: 1 },
          },
          {
            Name: 'spare',
            Driver: 'local',
            Mountpoint: '/v/spare',
            Scope: 'local',
            Labels: { k: 'v' },
            Options: null,
            CreatedAt: '2026-01-01T00:00:00Z',
            UsageData: { Size: 300, RefCount: 0 },
          },
        ],
        BuildCache: [
          cache,
          {
            ...cache,
            ID: 'bbcdefghijklmnopqrstuvwxy',
            InUse: true,
            Shared: true,
            Size: 999,
            LastUsedAt: null,
            UsageCount: 0,
          },
        ],
      },
    },
  };
}
