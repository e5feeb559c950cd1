import { NIL_MAP, NIL_SLICE, type Value } from './template/value.ts';

/**
 * Fields that Docker's types have and its JSON leaves out while they are empty: a template may ask for them all the same. By the JSON field that holds the
 * object, '' being what is inspected itself; from moby's api/types, API 1.51.
 */
const BY_HOLDER: Readonly<Record<string, Readonly<Record<string, Value>>>> = {
  State: { Health: null },
  Config: {
    ExposedPorts: NIL_MAP,
    Healthcheck: null,
    ArgsEscaped: false,
    NetworkDisabled: false,
    MacAddress: '',
    StopSignal: '',
    StopTimeout: null,
    Shell: NIL_SLICE,
    Volumes: NIL_MAP,
    Entrypoint: NIL_SLICE,
    Cmd: NIL_SLICE,
    Env: NIL_SLICE,
    OnBuild: NIL_SLICE,
    Labels: NIL_MAP,
    User: '',
    WorkingDir: '',
    Image: '',
    Hostname: '',
    Domainname: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
  },
  HostConfig: {
    Annotations: NIL_MAP,
    Mounts: NIL_SLICE,
    Tmpfs: NIL_MAP,
    Sysctls: NIL_MAP,
    StorageOpt: NIL_MAP,
    Init: null,
    MaskedPaths: NIL_SLICE,
    ReadonlyPaths: NIL_SLICE,
    KernelMemory: 0,
    KernelMemoryTCP: 0,
  },
};

/** What is inspected: containers, images, volumes, networks and the rest have names in common that mean the same. */
const OF_OBJECT: Readonly<Record<string, Value>> = {
  ImageManifestDescriptor: null,
  SizeRw: null,
  SizeRootFs: null,
  Config: null,
  ContainerConfig: null,
  Container: '',
  Comment: '',
  Author: '',
  Variant: '',
  OsVersion: '',
  VirtualSize: 0,
  Descriptor: null,
  Manifests: NIL_SLICE,
  Identity: null,
  Status: NIL_MAP,
  UsageData: null,
  ClusterVolume: null,
  CreatedAt: '',
  Peers: NIL_SLICE,
  Services: NIL_MAP,
};

/** Of which object an inspected one is recognised: a name that isn't its type's stays an error. */
const TYPES: readonly { has: string; fields: readonly string[] }[] = [
  { has: 'HostConfig', fields: ['ImageManifestDescriptor', 'SizeRw', 'SizeRootFs'] },
  {
    has: 'RootFS',
    fields: [
      'Config',
      'ContainerConfig',
      'Container',
      'Comment',
      'Author',
      'Variant',
      'OsVersion',
      'VirtualSize',
      'Descriptor',
      'Manifests',
      'Identity',
    ],
  },
  { has: 'Mountpoint', fields: ['Status', 'UsageData', 'ClusterVolume', 'CreatedAt'] },
  { has: 'IPAM', fields: ['Peers', 'Services', 'Status'] },
];

/** The fields that an object of the JSON could have had; undefined: none. */
export function omittedFields(
  holder: string,
  object: Readonly<Record<string, Value>>,
): Readonly<Record<string, Value>> | undefined {
  if (holder === 'RestartPolicy') return restartPolicyMethods(object['Name']);
  if (holder !== '') return BY_HOLDER[holder];
  const type = TYPES.find(({ has }) => Object.hasOwn(object, has));
  if (type === undefined) return undefined;
  return Object.fromEntries(type.fields.map((name) => [name, OF_OBJECT[name]]));
}

/** What Go's type can be asked. */
function restartPolicyMethods(name: Value): Record<string, Value> {
  return {
    IsNone: name === 'no' || name === '',
    IsAlways: name === 'always',
    IsOnFailure: name === 'on-failure',
    IsUnlessStopped: name === 'unless-stopped',
  };
}
