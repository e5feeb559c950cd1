import { expect, test } from 'bun:test';
import type * as sdk from '@docker/node-sdk';
import { type Json, parseJson } from '../../wire/json.ts';
import recorded from '../testing/docker-run.json';
import { CONFIG_RULES, emptyConfig } from './container-config.ts';
import { decodeCreateRequest } from './create-request.ts';
import { emptyMembership } from './endpoint-settings.ts';
import { emptyHost, HOST_RULES } from './host-config.ts';

const decode = (body: unknown) => decodeCreateRequest(parseJson(JSON.stringify(body)));

test('what stock `docker run` sends passes, bridged and with no network, and means what was typed', () => {
  for (const body of recorded) {
    const { config, host, warnings } = decode(body);
    expect(warnings).toEqual([]);
    expect(config).toEqual({
      ...emptyConfig(),
      image: 'busybox',
      cmd: ['cat'],
      attachStdin: true,
      attachStdout: true,
      attachStderr: true,
      openStdin: true,
      stdinOnce: true,
    });
    expect(host).toEqual({
      ...emptyHost(),
      networkMode: body.HostConfig.NetworkMode,
      autoRemove: true,
      restartPolicy: { name: 'no', maximumRetryCount: 0 },
      emptyLists: [
        'PortBindings',
        'Dns',
        'DnsOptions',
        'DnsSearch',
        'BlkioWeightDevice',
        'BlkioDeviceReadBps',
        'BlkioDeviceWriteBps',
        'BlkioDeviceReadIOps',
        'BlkioDeviceWriteIOps',
        'Devices',
        'Ulimits',
      ],
    });
  }
});

test('every field is read into its own place', () => {
  const { config, host } = decode({
    image: 'in any case',
    Cmd: 'sh',
    Entrypoint: ['a', 'b'],
    Env: ['A=b'],
    ExposedPorts: { '80': {}, '53/udp': {}, '90-92/tcp': {} },
    Volumes: { '/data': {} },
    Labels: { a: 'b', c: null },
    StopSignal: 'SIGINT',
    StopTimeout: 0,
    Healthcheck: { Test: ['CMD', 'x'], Interval: 1_000_000_000, Retries: 3 },
    Tty: true,
    NoSuchField: { deeply: ['unknown'] },
    HostConfig: {
      Memory: 67108864,
      NanoCpus: 1_500_000_000,
      PidsLimit: 5,
      Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }],
      Binds: ['/tmp:/x:ro'],
      Tmpfs: { '/run': 'size=1m' },
      ConsoleSize: [24, 80],
      Init: true,
      MaskedPaths: [],
      Sysctls: { 'net.ipv4.ip_forward': '1' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
    },
  });
  expect(config).toEqual({
    ...emptyConfig(),
    image: 'in any case',
    cmd: ['sh'],
    entrypoint: ['a', 'b'],
    env: ['A=b'],
    exposedPorts: ['80/tcp', '53/udp', '90-92/tcp'],
    volumes: ['/data'],
    labels: { a: 'b', c: '' },
    stopSignal: 'SIGINT',
    stopTimeoutSeconds: 0,
    healthcheck: {
      test: ['CMD', 'x'],
      intervalNs: 1_000_000_000n,
      timeoutNs: 0n,
      startPeriodNs: 0n,
      startIntervalNs: 0n,
      retries: 3,
    },
    tty: true,
  });
  expect(host).toEqual({
    ...emptyHost(),
    resources: { ...emptyHost().resources, memoryBytes: 67108864n, nanoCpus: 1_500_000_000n, pidsLimit: 5 },
    ulimits: [{ name: 'nofile', soft: 10, hard: 20 }],
    binds: ['/tmp:/x:ro'],
    tmpfs: { '/run': 'size=1m' },
    consoleSize: [24, 80],
    init: true,
    maskedPaths: [],
    sysctls: { 'net.ipv4.ip_forward': '1' },
    logConfig: { type: 'json-file', config: { 'max-size': '1m' } },
  });
});

test('a 64-bit limit keeps all its digits', () => {
  const body = parseJson('{"Image":"x","HostConfig":{"Memory":9223372036854775807}}');
  expect(decodeCreateRequest(body).host.resources.memoryBytes).toBe(9223372036854775807n);
  const tooLarge = parseJson('{"Image":"x","HostConfig":{"Memory":9223372036854775808}}');
  expect(() => decodeCreateRequest(tooLarge)).toThrow(
    'json: cannot unmarshal number 9223372036854775808 into Go struct field .HostConfig.Memory of type int64',
  );
});

test('each field that is not built yet is refused by name, unless it is zero', () => {
  const set: Record<string, Json> = {
    Cgroup: 'container:x',
  };
  const refused = Object.entries(HOST_RULES).filter(([, rule]) => rule.class === 'refused');
  expect(refused.map(([name]) => name).sort()).toEqual(Object.keys(set).sort());
  for (const [name, value] of Object.entries(set)) {
    expect(() => decode({ Image: 'x', HostConfig: { [name]: value } }), name).toThrow(`HostConfig.${name} (`);
    for (const zero of [
      null,
      Array.isArray(value) ? [] : typeof value === 'object' ? {} : typeof value === 'string' ? '' : 0,
    ])
      decode({ Image: 'x', HostConfig: { [name]: zero } });
  }
});

test('what is said of networks is kept, a MAC address of older clients with the network of the mode', () => {
  const settings = {
    IPAMConfig: { IPv4Address: '10.0.0.9', LinkLocalIPs: ['169.254.1.1'] },
    Aliases: ['web'],
    Links: ['db:database'],
    DriverOpts: { a: 'b' },
    GwPriority: 3,
  };
  const { networks } = decode({
    Image: 'x',
    MacAddress: '02:00:00:00:00:01',
    HostConfig: { NetworkMode: 'mine' },
    NetworkingConfig: { EndpointsConfig: { other: null, mine: settings } },
  });
  expect(networks).toEqual([
    {
      network: 'mine',
      aliases: ['web'],
      ipv4Address: '10.0.0.9',
      ipv6Address: '',
      linkLocalAddresses: ['169.254.1.1'],
      macAddress: '02:00:00:00:00:01',
      driverOptions: { a: 'b' },
      gatewayPriority: 3,
      links: ['db:database'],
    },
    emptyMembership('other'),
  ]);
});

test("what is asked of the host's devices is kept, and none of it is none", () => {
  const hardware = (HostConfig: Record<string, Json>) => decode({ Image: 'x', HostConfig }).host.hardware;
  expect(hardware({ Devices: [], DeviceRequests: null, CpuRealtimePeriod: 0 })).toBeUndefined();
  expect(
    hardware({
      BlkioWeightDevice: [{ Path: '/dev/sda', Weight: 5 }],
      BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 6 }],
      CpuRealtimeRuntime: 7,
      Devices: [{ PathOnHost: '/dev/null' }],
      DeviceCgroupRules: ['c 1:* r'],
      DeviceRequests: [
        { Driver: 'cdi', DeviceIDs: ['v.com/c=d'] },
        { Count: -1, Capabilities: [['gpu']] },
      ],
    }),
  ).toEqual({
    devices: [{ pathOnHost: '/dev/null', pathInContainer: '/dev/null', cgroupPermissions: '' }],
    cgroupRules: ['c 1:* r'],
    requests: [
      { driver: 'cdi', count: 0, ids: ['v.com/c=d'], capabilities: [], options: {} },
      { driver: '', count: -1, ids: [], capabilities: [['gpu']], options: {} },
    ],
    weightDevices: [{ path: '/dev/sda', weight: 5 }],
    readBps: [{ path: '/dev/sda', rate: 6 }],
    writeBps: [],
    readIops: [],
    writeIops: [],
    realtimePeriodUs: 0,
    realtimeRuntimeUs: 7,
  });
  expect(() => hardware({ DeviceCgroupRules: ['x 1:3 r'] })).toThrow(
    "invalid device cgroup rule format: 'x 1:3 r'",
  );
  expect(decode({ Image: 'x', HostConfig: { StorageOpt: { size: '1G' } } }).host.storageOpt).toEqual({
    size: '1G',
  });
  expect(() => decode({ Image: 'x', HostConfig: { StorageOpt: { size: '1X' } } })).toThrow(
    "invalid suffix: 'X'",
  );
  expect(() => decode({ Image: 'x', HostConfig: { StorageOpt: { foo: '1' } } })).toThrow(
    'Unknown option foo',
  );
});

// Refusals as Docker 28.5 answers these bodies.
test("a host's UTS namespace has no host name of the container's, Linux no isolation", () => {
  expect(() => decode({ Image: 'x', Hostname: 'h', HostConfig: { UTSMode: 'host' } })).toThrow(
    'conflicting options: hostname and the UTS mode',
  );
  expect(() => decode({ Image: 'x', HostConfig: { Isolation: 'hyperv' } })).toThrow(
    "invalid isolation (hyperv): linux only supports 'default'",
  );
  expect(decode({ Image: 'x', HostConfig: { Isolation: 'default' } }).host.isolation).toBe('default');
});

test('values without sense are refused before a container is made', () => {
  for (const [host, text] of [
    [{ IpcMode: 'bogus' }, 'invalid IPC mode: bogus'],
    [{ PidMode: 'bogus' }, 'invalid PID mode: bogus'],
    [{ PidMode: 'container:' }, 'invalid PID mode: container:'],
    [{ UTSMode: 'bogus' }, 'invalid UTS mode: bogus'],
    [{ CgroupnsMode: 'bogus' }, 'invalid cgroup namespace mode: bogus'],
    [{ Runtime: 'bogus' }, 'unknown or invalid runtime name: bogus'],
    [{ Tmpfs: { rel: '' } }, "invalid mount path: 'rel' mount path must be absolute"],
    [{ Dns: ['bad'] }, 'bad nameserver address bad: ParseAddr("bad"): unable to parse IP'],
    [{ Annotations: { '': 'x' } }, 'invalid Annotations: the empty string is not permitted'],
    [{ ShmSize: -1 }, 'SHM size can not be less than 0'],
    [{ OomScoreAdj: 5000 }, 'Invalid value 5000, range for oom score adj is [-1000, 1000]'],
    [{ RestartPolicy: { Name: 'no', MaximumRetryCount: 3 } }, 'maximum retry count can only be used with'],
  ] as const)
    expect(() => decode({ Image: 'x', HostConfig: host }), text).toThrow(text);
  expect(() => decode({ Image: 'x', Healthcheck: { Timeout: 1000 } })).toThrow(
    'Timeout in Healthcheck cannot be less than 1ms',
  );
});

test("another container's namespaces: whose they are is the start's to find, what contradicts them is refused", () => {
  const { host } = decode({
    Image: 'x',
    HostConfig: { PidMode: 'container:a', IpcMode: 'container:', NetworkMode: 'container:b' },
  });
  expect([host.pidMode, host.ipcMode, host.networkMode]).toEqual([
    'container:a',
    'container:',
    'container:b',
  ]);
  const refusals: [object, object, string][] = [
    [{ PidMode: 'container:' }, {}, 'invalid PID mode: container:'],
    [{ NetworkMode: 'container:' }, {}, 'invalid network mode: invalid container format container:<name|id>'],
    [{ NetworkMode: 'container:b' }, { Hostname: 'h' }, 'conflicting options: hostname and the network mode'],
    [{ NetworkMode: 'container:b', Dns: ['1.1.1.1'] }, {}, 'conflicting options: dns and the network mode'],
  ];
  for (const [hostConfig, config, text] of refusals)
    expect(() => decode({ Image: 'x', ...config, HostConfig: { ...hostConfig } })).toThrow(text);
});

test('a network that only the mode names is left to the start', () => {
  const { host } = decode({
    Image: 'x',
    HostConfig: { NetworkMode: 'mine' },
    NetworkingConfig: { EndpointsConfig: { mine: { Aliases: null } } },
  });
  expect(host.networkMode).toBe('mine');
});

test('what is dropped is told', () => {
  const { warnings, host } = decode({ Image: 'x', HostConfig: { KernelMemoryTCP: 5, MemorySwappiness: 60 } });
  expect(warnings).toHaveLength(1);
  expect(host.resources.memorySwappiness).toBe(60);
});

test('wrong types are told as Go tells them', () => {
  for (const [body, text] of [
    [{ Image: 'x', Env: 'A=b' }, 'json: cannot unmarshal string into Go struct field .Env of type []string'],
    [{ Image: 'x', Env: [1] }, 'json: cannot unmarshal number into Go struct field .Env of type string'],
    [{ Image: 'x', HostConfig: { CpuShares: '1' } }, 'Go struct field .HostConfig.CpuShares of type int64'],
    [
      { Image: 'x', HostConfig: { BlkioWeight: 70000 } },
      'Go struct field .HostConfig.BlkioWeight of type uint16',
    ],
    [{ Image: 'x', Tty: 'yes' }, 'json: cannot unmarshal string into Go struct field .Tty of type bool'],
    [
      { Image: 'x', StopTimeout: 1.5 },
      'json: cannot unmarshal number 1.5 into Go struct field .StopTimeout of type int',
    ],
    [
      { Image: 'x', HostConfig: [1] },
      'json: cannot unmarshal array into Go struct field .HostConfig of type container.HostConfig',
    ],
    [
      { Image: 'x', HostConfig: { Binds: {} } },
      'json: cannot unmarshal object into Go struct field .HostConfig.Binds of type []string',
    ],
    [{ Image: 'x', ExposedPorts: { x: {} } }, 'invalid port specification: "x"'],
    [
      { Image: 'x', HostConfig: { RestartPolicy: { Name: 'x' } } },
      "invalid restart policy: unknown policy 'x'",
    ],
  ] as const)
    expect(() => decode(body), text).toThrow(text);
});

test('no field of the official types is without a rule (held by the type checker)', () => {
  const config: Record<keyof sdk.ContainerConfig, unknown> = CONFIG_RULES;
  const host: Record<keyof sdk.HostConfig, unknown> = HOST_RULES;
  expect(Object.keys(config).length + Object.keys(host).length).toBeGreaterThan(90);
});
