import type { ContainerView } from '../../containers/container.ts';
import type { ImageView } from '../../images/image-backend.ts';
import type { NetworkInfo } from '../../network/network-driver.ts';
import { parseDiffId, parseDigest } from '../../oci/digest.ts';
import { emptyConfig } from '../decode/container-config.ts';
import { emptyHost } from '../decode/host-config.ts';
import type { SystemInfo } from '../system-backend.ts';

export const IMAGE_ID = parseDigest(`sha256:${'a'.repeat(64)}`);
const CREATED_NANO = 1_700_000_000_123_456_789n;

export function containerView(id: string): ContainerView {
  return {
    id,
    name: `fake_${id.slice(-4)}`,
    createdNano: CREATED_NANO,
    config: { ...emptyConfig(), image: 'busybox', hostname: id.slice(0, 12), cmd: ['sh'] },
    host: { ...emptyHost(), networkMode: 'bridge', shmSizeBytes: 67_108_864, runtime: 'crun' },
    image: {
      id: IMAGE_ID,
      manifestDigest: IMAGE_ID,
      configDigest: parseDigest(`sha256:${'b'.repeat(64)}`),
      chainId: undefined,
      platform: { os: 'linux', architecture: 'amd64' },
    },
    path: 'sh',
    args: [],
    state: {
      status: 'running',
      pid: 4711,
      exitCode: 0,
      oomKilled: false,
      error: '',
      startedAtNano: CREATED_NANO,
      finishedAtNano: 0n,
      health: undefined,
    },
    restartCount: 0,
    logPath: `/var/lib/sampan/containers/${id}/ctr.log`,
    driver: 'erofs',
    appArmorProfile: '',
    endpoints: [],
    sandboxPath: `/run/sampan/netns/${id}`,
    mounts: [],
    resolvConfPath: `/var/lib/sampan/containers/${id}/resolv.conf`,
    hostnamePath: `/var/lib/sampan/containers/${id}/hostname`,
    execIds: [],
    links: [],
    linkNames: [],
    ports: [],
    hostsPath: `/var/lib/sampan/containers/${id}/hosts`,
  };
}

export function imageView(): ImageView {
  return {
    id: IMAGE_ID,
    descriptor: {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: IMAGE_ID,
      size: 523,
    },
    manifestDigest: IMAGE_ID,
    configDigest: parseDigest(`sha256:${'b'.repeat(64)}`),
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    manifestSize: 523,
    platform: { os: 'linux', architecture: 'amd64' },
    config: {
      platform: { os: 'linux', architecture: 'amd64' },
      created: '2023-11-14T22:13:20Z',
      author: undefined,
      config: {
        user: '',
        env: ['PATH=/bin'],
        entrypoint: undefined,
        cmd: ['sh'],
        workingDir: '/',
        exposedPorts: [],
        volumes: [],
        labels: {},
        stopSignal: undefined,
        shell: undefined,
        onBuild: [],
        healthcheck: undefined,
        argsEscaped: false,
      },
      diffIds: [parseDiffId(`sha256:${'d'.repeat(64)}`)],
      history: [],
    },
    chainId: undefined,
    repoTags: ['busybox:latest'],
    repoDigests: [`busybox@${IMAGE_ID}`],
    size: 1_982_312,
    created: '2023-11-14T22:13:20Z',
    lastTaggedNano: CREATED_NANO,
    layers: [{ diffId: `sha256:${'d'.repeat(64)}`, blob: IMAGE_ID, blobSize: 900_000, tarSize: 1_982_312 }],
  };
}

export function networkInfos(): NetworkInfo[] {
  const base = {
    scope: 'local' as const,
    createdNano: CREATED_NANO,
    internal: false,
    attachable: false,
    enableIpv4: true,
    enableIpv6: false,
    configOnly: false,
    configFrom: '',
    ipamDriver: 'default',
    ipamOptions: undefined,
    options: {},
    labels: {},
  };
  return [
    {
      ...base,
      id: '1'.repeat(64),
      name: 'bridge',
      driver: 'bridge',
      ipam: [
        {
          subnet: '172.17.0.0/16',
          ipRange: '',
          gateway: '172.17.0.1',
          gatewayShown: true,
          subnetChosen: false,
          auxAddresses: {},
        },
      ],
    },
    { ...base, id: '2'.repeat(64), name: 'host', driver: 'host', ipam: [] },
    { ...base, id: '3'.repeat(64), name: 'none', driver: 'null', ipam: [] },
  ];
}

export function systemInfo(): SystemInfo {
  return {
    id: 'ID',
    name: 'vm',
    dataRoot: '/var/lib/sampan',
    driver: 'erofs',
    driverStatus: [['Backing Filesystem', 'extfs']],
    containers: { running: 1, paused: 0, stopped: 2 },
    images: 1,
    cgroupDriver: 'cgroupfs',
    cgroupVersion: '2',
    kernelVersion: '6.18.0',
    operatingSystem: 'Debian GNU/Linux 12 (bookworm)',
    osVersion: '12',
    architecture: 'x86_64',
    cpus: 2,
    memoryBytes: 8_000_000_000,
    runtimes: { crun: { path: '/usr/bin/crun' } },
    defaultRuntime: 'crun',
    runtimeCommit: '1.8.1',
    securityOptions: ['name=seccomp,profile=builtin'],
    registryMirrors: ['http://127.0.0.1:5000/'],
    insecureRegistries: ['10.0.0.0/8', 'reg.local:5000'],
    registries: [
      { name: 'docker.io', mirrors: ['http://127.0.0.1:5000/'], secure: true },
      { name: 'reg.local:5000', mirrors: [], secure: false },
    ],
    labels: [],
    loggingDriver: 'json-file',
    cdiFolders: [],
    warnings: [],
    debug: false,
    memoryLimit: true,
    swapLimit: true,
    cpuCfs: true,
    cpuShares: true,
    cpuset: true,
    pidsLimit: true,
    ipv4Forwarding: true,
    httpProxy: '',
    httpsProxy: '',
    noProxy: '',
    eventListeners: 0,
    fileDescriptors: 20,
    startedNano: CREATED_NANO,
    components: [{ name: 'crun', version: '1.8.1', details: {} }],
  };
}
