import type { Json } from '../../wire/json.ts';
import { omittedFields } from './omitted-fields.ts';
import { NIL_MAP, NIL_SLICE, STRUCT, type Value } from './template/value.ts';

const MAPS =
  /^(?:Labels|Annotations|Ports|PortBindings|ExposedPorts|Volumes|Networks|Sysctls|Tmpfs|StorageOpt|Options|DriverOpts|Data|Containers|EndpointsConfig)$/;
const LISTS =
  /^(?:.*s|Cmd|Entrypoint|Env|Shell|OnBuild|CapAdd|CapDrop|Dns|GroupAdd|SecurityOpt|VolumesFrom|Test|Log|IPAMConfig)$/;
const POINTERS =
  /^(?:OomKillDisable|PidsLimit|Init|IPAMConfig|Health|Healthcheck|StopTimeout|MemorySwappiness|HostConfig)$/;

/**
 * A daemon's JSON as a template sees it: fields that Go's structs spell otherwise (`.ID` for `Id`) are found, and a null is the empty
 * list or map that it stands for. `json` shows the original.
 */
export function inspectValue(json: Json, field = '', typeName: string | true = true): Value {
  // The log driver's options; any other `Config` is a struct.
  const isMap = MAPS.test(field) || field === 'LogConfig.Config';
  if (json === null)
    return POINTERS.test(field) ? null : isMap ? NIL_MAP : LISTS.test(field) ? NIL_SLICE : null;
  if (Array.isArray(json)) return json.map((each) => inspectValue(each));
  if (typeof json !== 'object') return json;
  const object: Record<string, Value> = Object.fromEntries(
    Object.entries(json).map(([key, value]) => [
      key,
      inspectValue(value, field === 'LogConfig' ? `LogConfig.${key}` : key),
    ]),
  );
  if (isMap) return object;
  addOmitted(object, field);
  addEmbedded(object, field);
  addGoNames(object);
  Object.defineProperty(object, STRUCT, { value: typeName, enumerable: false });
  return object;
}

const GO_NAMES: Readonly<Record<string, string>> = {
  Id: 'ID',
  NanoCpus: 'NanoCPUs',
  CpuShares: 'CPUShares',
  CpuPeriod: 'CPUPeriod',
  CpuQuota: 'CPUQuota',
  CpuRealtimePeriod: 'CPURealtimePeriod',
  CpuRealtimeRuntime: 'CPURealtimeRuntime',
  CpuCount: 'CPUCount',
  CpuPercent: 'CPUPercent',
  Dns: 'DNS',
  DnsOptions: 'DNSOptions',
  DnsSearch: 'DNSSearch',
  HostIp: 'HostIP',
};

/** Reachable, but neither listed nor printed. */
function addOmitted(object: Record<string, Value>, field: string): void {
  for (const [name, value] of Object.entries(omittedFields(field, object) ?? {}))
    if (!Object.hasOwn(object, name)) Object.defineProperty(object, name, { value, enumerable: false });
}

/** Structs that Docker's types embed: their fields are the holder's, and they can be named themselves. By the JSON field that holds the object. */
const EMBEDDED: Readonly<Record<string, string>> = {
  HostConfig: 'Resources',
  NetworkSettings: 'DefaultNetworkSettings',
};

function addEmbedded(object: Record<string, Value>, field: string): void {
  const name = field === '' && Object.hasOwn(object, 'HostConfig') ? 'ContainerJSONBase' : EMBEDDED[field];
  if (name !== undefined) Object.defineProperty(object, name, { value: object, enumerable: false });
}

/** Names that Go has besides the JSON's: reachable, but neither listed nor printed. */
function addGoNames(object: Record<string, Value>): void {
  for (const [json, go] of Object.entries(GO_NAMES))
    if (Object.hasOwn(object, json) && !Object.hasOwn(object, go))
      Object.defineProperty(object, go, { value: object[json], enumerable: false });
}
