import type { HostOptions } from '../../containers/container.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Json } from '../../wire/json.ts';
import { type FieldRule, honour } from './field-rule.ts';
import {
  type Decoder,
  Fields,
  int,
  listOf,
  smallInt64,
  string,
  stringMap,
  strings,
  uint16,
} from './go-json.ts';

type HardwareOptions = NonNullable<HostOptions['hardware']>;
type BlockLimits = HardwareOptions['readBps'];

/** What is asked of the host's devices where nothing is. */
export function noHardware(): HardwareOptions {
  return {
    devices: [],
    cgroupRules: [],
    requests: [],
    weightDevices: [],
    readBps: [],
    writeBps: [],
    readIops: [],
    writeIops: [],
    realtimePeriodUs: 0,
    realtimeRuntimeUs: 0,
  };
}

/** The fields of Docker's `Resources` that speak of the host's devices, and of real time. */
export const HARDWARE_RULES = {
  BlkioWeightDevice: hardware(listOf(weightDevice), 'weightDevices'),
  BlkioDeviceReadBps: hardware(listOf(blockLimit), 'readBps'),
  BlkioDeviceWriteBps: hardware(listOf(blockLimit), 'writeBps'),
  BlkioDeviceReadIOps: hardware(listOf(blockLimit), 'readIops'),
  BlkioDeviceWriteIOps: hardware(listOf(blockLimit), 'writeIops'),
  CpuRealtimePeriod: hardware(smallInt64, 'realtimePeriodUs'),
  CpuRealtimeRuntime: hardware(smallInt64, 'realtimeRuntimeUs'),
  Devices: hardware(listOf(device), 'devices'),
  DeviceCgroupRules: hardware(cgroupRules, 'cgroupRules'),
  DeviceRequests: hardware(listOf(deviceRequest), 'requests'),
} satisfies Record<string, FieldRule<HostOptions>>;

function hardware<Key extends keyof HardwareOptions>(
  decoder: Decoder<HardwareOptions[Key]>,
  key: Key,
): FieldRule<HostOptions> {
  return honour(decoder, (host, value) => {
    const isNothing = value === 0 || (Array.isArray(value) && value.length === 0);
    if (!isNothing) host.hardware = { ...(host.hardware ?? noHardware()), [key]: value };
  });
}

function device(value: Json, field: string): HardwareOptions['devices'][number] {
  const fields = new Fields(value, field, 'container.DeviceMapping');
  const pathOnHost = fields.get('PathOnHost', string) ?? '';
  return {
    pathOnHost,
    pathInContainer: fields.get('PathInContainer', string) || pathOnHost,
    cgroupPermissions: fields.get('CgroupPermissions', string) ?? '',
  };
}

function cgroupRules(value: Json, field: string): string[] {
  const rules = strings(value, field);
  const bad = rules.find((rule) => !/^[acb] (?:\d+|\*):(?:\d+|\*) [rwm]{1,3}$/.test(rule));
  if (bad !== undefined) throw new EngineError('invalid', `invalid device cgroup rule format: '${bad}'`);
  return rules;
}

function weightDevice(value: Json, field: string): HardwareOptions['weightDevices'][number] {
  const fields = new Fields(value, field, 'blkiodev.WeightDevice');
  return { path: fields.get('Path', string) ?? '', weight: fields.get('Weight', uint16) ?? 0 };
}

function blockLimit(value: Json, field: string): BlockLimits[number] {
  const fields = new Fields(value, field, 'blkiodev.ThrottleDevice');
  return { path: fields.get('Path', string) ?? '', rate: fields.get('Rate', smallInt64) ?? 0 };
}

function deviceRequest(value: Json, field: string): HardwareOptions['requests'][number] {
  const fields = new Fields(value, field, 'container.DeviceRequest');
  return {
    driver: fields.get('Driver', string) ?? '',
    count: fields.get('Count', int) ?? 0,
    ids: fields.get('DeviceIDs', strings) ?? [],
    capabilities: fields.get('Capabilities', lists) ?? [],
    options: fields.get('Options', stringMap) ?? {},
  };
}

function lists(value: Json, field: string): string[][] {
  return listOf(strings)(value, field);
}
