import { EngineError } from '../../errors/engine-error.ts';

/** What a device changes in a container (Container Device Interface, `containerEdits`). */
export interface ContainerEdits {
  env: string[];
  deviceNodes: CdiDeviceNode[];
  mounts: { hostPath: string; containerPath: string; type: string; options: string[] }[];
  hooks: { hookName: string; path: string; args: string[]; env: string[]; timeout: number | undefined }[];
  additionalGids: number[];
}

export interface CdiDeviceNode {
  path: string;
  hostPath: string;
  type: string;
  major: number | undefined;
  minor: number | undefined;
  fileMode: number | undefined;
  permissions: string;
  uid: number | undefined;
  gid: number | undefined;
}

export interface CdiSpec {
  /** `vendor.com/class` */
  kind: string;
  devices: ReadonlyMap<string, ContainerEdits>;
  /** Of every one of its devices. */
  containerEdits: ContainerEdits;
}

const MAX_LIST = 4096;
const KIND = /^[A-Za-z][\w.-]*[A-Za-z0-9]\/[A-Za-z](?:[\w-]*[A-Za-z0-9])?$/;
const DEVICE_NAME = /^[A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?$/;
const HOOKS = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'];

type Fields = Record<string, unknown>;

/** A specification file's content, already parsed. @throws EngineError "invalid" saying what is wrong with it. */
export function decodeCdiSpec(value: unknown): CdiSpec {
  const fields = objectOf(value, 'the file');
  if (!/^\d+\.\d+\.\d+$/.test(text(fields, 'cdiVersion'))) throw invalid('cdiVersion is none');
  const kind = text(fields, 'kind');
  if (!KIND.test(kind)) throw invalid(`invalid kind ${JSON.stringify(kind)}`);
  const devices = new Map<string, ContainerEdits>();
  for (const entry of list(fields, 'devices')) {
    const device = objectOf(entry, 'devices');
    const name = text(device, 'name');
    if (!DEVICE_NAME.test(name)) throw invalid(`invalid device name ${JSON.stringify(name)}`);
    if (devices.has(name)) throw invalid(`two devices ${JSON.stringify(name)}`);
    devices.set(name, decodeEdits(device['containerEdits']));
  }
  return { kind, devices, containerEdits: decodeEdits(fields['containerEdits']) };
}

function decodeEdits(value: unknown): ContainerEdits {
  const fields = value === undefined || value === null ? {} : objectOf(value, 'containerEdits');
  return {
    env: strings(fields, 'env').map(variable),
    deviceNodes: list(fields, 'deviceNodes').map((entry) => deviceNode(objectOf(entry, 'deviceNodes'))),
    mounts: list(fields, 'mounts').map((entry) => mount(objectOf(entry, 'mounts'))),
    hooks: list(fields, 'hooks').map((entry) => hook(objectOf(entry, 'hooks'))),
    additionalGids: list(fields, 'additionalGids').map((gid) => number(gid, 'additionalGids')),
  };
}

function variable(entry: string): string {
  if (!/^[^=\0]+=[^\0]*$/.test(entry)) throw invalid(`invalid environment variable ${JSON.stringify(entry)}`);
  return entry;
}

function deviceNode(fields: Fields): CdiDeviceNode {
  const path = absolute(fields, 'path');
  const type = text(fields, 'type');
  if (!['', 'b', 'c', 'u', 'p'].includes(type)) throw invalid(`invalid device type ${JSON.stringify(type)}`);
  const permissions = text(fields, 'permissions');
  if (!/^[rwm]*$/.test(permissions)) throw invalid(`invalid permissions ${JSON.stringify(permissions)}`);
  return {
    path,
    hostPath: text(fields, 'hostPath') === '' ? path : absolute(fields, 'hostPath'),
    type,
    major: optionalNumber(fields, 'major'),
    minor: optionalNumber(fields, 'minor'),
    fileMode: optionalNumber(fields, 'fileMode'),
    permissions: permissions === '' ? 'rwm' : permissions,
    uid: optionalNumber(fields, 'uid'),
    gid: optionalNumber(fields, 'gid'),
  };
}

function mount(fields: Fields): ContainerEdits['mounts'][number] {
  const hostPath = text(fields, 'hostPath');
  if (hostPath === '') throw invalid('a mount without hostPath');
  const containerPath = absolute(fields, 'containerPath');
  return { hostPath, containerPath, type: text(fields, 'type'), options: strings(fields, 'options') };
}

function hook(fields: Fields): ContainerEdits['hooks'][number] {
  const hookName = text(fields, 'hookName');
  if (!HOOKS.includes(hookName)) throw invalid(`invalid hook ${JSON.stringify(hookName)}`);
  return {
    hookName,
    path: absolute(fields, 'path'),
    args: strings(fields, 'args'),
    env: strings(fields, 'env'),
    timeout: optionalNumber(fields, 'timeout'),
  };
}

function objectOf(value: unknown, where: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw invalid(`${where}: no object`);
}

function text(fields: Fields, name: string): string {
  const value = fields[name] ?? '';
  if (typeof value !== 'string' || value.includes('\0')) throw invalid(`${name} is no text`);
  return value;
}

function absolute(fields: Fields, name: string): string {
  const path = text(fields, name);
  if (!path.startsWith('/')) throw invalid(`${name} ${JSON.stringify(path)} is no absolute path`);
  return path;
}

function list(fields: Fields, name: string): unknown[] {
  const value = fields[name] ?? [];
  if (!Array.isArray(value) || value.length > MAX_LIST) throw invalid(`${name} is no list`);
  return value;
}

function strings(fields: Fields, name: string): string[] {
  return list(fields, name).map((entry) => {
    if (typeof entry !== 'string' || entry.includes('\0')) throw invalid(`${name} has what is no text`);
    return entry;
  });
}

function optionalNumber(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  return value === undefined || value === null ? undefined : number(value, name);
}

function number(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(`${name} is no number`);
}

function invalid(why: string): EngineError {
  return new EngineError('invalid', `Cannot read a CDI specification: ${why}`);
}
