import { parseBool } from '../../../../text/parse-bool.ts';
import { parseByteSize } from '../../../../wire/byte-size.ts';
import { parseCsv } from '../../../flags/csv.ts';

export interface MountRequest {
  Type: string;
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: Record<string, unknown>;
  VolumeOptions?: Record<string, unknown>;
  ImageOptions?: Record<string, unknown>;
  TmpfsOptions?: Record<string, unknown>;
}

interface Draft {
  type: string;
  source: string;
  target: string;
  readOnly: boolean;
  consistency: string;
  bind: Record<string, unknown>;
  bindRecursive: string;
  volume: Record<string, unknown>;
  driver: { Name?: string; Options?: Record<string, string> };
  image: Record<string, unknown>;
  tmpfs: Record<string, unknown>;
  used: Set<string>;
}

const BARE_FIELDS: Record<string, true> = {
  readonly: true,
  ro: true,
  'volume-nocopy': true,
  'bind-nonrecursive': true,
  'bind-create-src': true,
};

/** `type=bind,source=/a,target=/b,readonly`; or the reason why it is none. */
export function parseMount(text: string, cwd: string): MountRequest | string {
  const draft: Draft = {
    type: 'volume',
    source: '',
    target: '',
    readOnly: false,
    consistency: '',
    bind: {},
    bindRecursive: '',
    volume: {},
    driver: {},
    image: {},
    tmpfs: {},
    used: new Set(),
  };
  for (const field of parseCsv(text)) {
    const refused = setField(draft, field, cwd);
    if (refused !== undefined) return refused;
  }
  return finish(draft);
}

export function checkMount(text: string): string | undefined {
  const mount = parseMount(text, '/');
  return typeof mount === 'string' ? mount : undefined;
}

function setField(draft: Draft, field: string, cwd: string): string | undefined {
  const at = field.indexOf('=');
  const key = (at < 0 ? field : field.slice(0, at)).toLowerCase();
  if (at < 0 && BARE_FIELDS[key] !== true) return `invalid field '${field}' must be a key=value pair`;
  const value = at < 0 ? 'true' : field.slice(at + 1);
  const option = /^(bind|volume|image|tmpfs)-/.exec(key)?.[1];
  if (option !== undefined) draft.used.add(option);
  switch (key) {
    case 'type':
      draft.type = value.toLowerCase();
      return undefined;
    case 'source':
    case 'src':
      draft.source = /^\.\.?(?:\/|$)/.test(value) ? absolute(value, cwd) : value;
      return undefined;
    case 'target':
    case 'dst':
    case 'destination':
      draft.target = value;
      return undefined;
    case 'readonly':
    case 'ro':
      return setBool(key, value, (on) => (draft.readOnly = on));
    case 'consistency':
      draft.consistency = value.toLowerCase();
      return undefined;
    default:
      return setOption(draft, key, value) ?? undefined;
  }
}

function setOption(draft: Draft, key: string, value: string): string | undefined {
  switch (key) {
    case 'bind-propagation':
      draft.bind.Propagation = value.toLowerCase();
      return undefined;
    case 'bind-nonrecursive':
      return setBool(key, value, (on) => (draft.bind.NonRecursive = on));
    case 'bind-create-src':
      return setBool(key, value, (on) => (draft.bind.CreateMountpoint = on));
    case 'bind-recursive':
      if (!/^(?:enabled|disabled|writable|readonly)$/.test(value))
        return `invalid value for ${key}: invalid recursive bind mount option: must be one of "enabled", "disabled", "writable", or "readonly": ${value}`;
      draft.bindRecursive = value;
      return undefined;
    case 'volume-nocopy':
      return setBool(key, value, (on) => (draft.volume.NoCopy = on));
    case 'volume-subpath':
      draft.volume.Subpath = value;
      return undefined;
    case 'volume-label':
      draft.volume.Labels = { ...(draft.volume.Labels as object | undefined), ...pair(value) };
      return undefined;
    case 'volume-driver':
      draft.driver.Name = value;
      return undefined;
    case 'volume-opt':
      draft.driver.Options = { ...draft.driver.Options, ...pair(value) };
      return undefined;
    case 'image-subpath':
      draft.image.Subpath = value;
      return undefined;
    case 'tmpfs-size': {
      const size = parseByteSize(value);
      if (typeof size === 'string') return `invalid value for ${key}: ${value}`;
      draft.tmpfs.SizeBytes = size;
      return undefined;
    }
    case 'tmpfs-mode':
      if (!/^[0-7]+$/.test(value)) return `invalid value for ${key}: ${value}`;
      draft.tmpfs.Mode = Number.parseInt(value, 8);
      return undefined;
    default:
      return `unexpected key '${key}' in '${key}=${value}'`;
  }
}

function setBool(key: string, value: string, set: (on: boolean) => void): string | undefined {
  const on = parseBool(value);
  if (on === undefined) return `invalid value for ${key}: ${value}`;
  set(on);
  return undefined;
}

function pair(text: string): Record<string, string> {
  const at = text.indexOf('=');
  return at < 0 ? { [text]: '' } : { [text.slice(0, at)]: text.slice(at + 1) };
}

function finish(draft: Draft): MountRequest | string {
  const { type, used } = draft;
  if (type === '') return 'type is required';
  if (draft.target === '') return 'target is required';
  for (const option of ['volume', 'bind', 'tmpfs', 'image'])
    if (used.has(option) && type !== option)
      return `cannot mix '${option}-*' options with mount type '${type}'`;
  if (used.has('volume')) draft.volume.DriverConfig = { ...draft.driver };
  const refused = applyRecursive(draft);
  if (refused !== undefined) return refused;
  return {
    Type: type,
    ...(draft.source === '' ? {} : { Source: draft.source }),
    Target: draft.target,
    ...(draft.readOnly ? { ReadOnly: true } : {}),
    ...(draft.consistency === '' ? {} : { Consistency: draft.consistency }),
    ...(Object.keys(draft.bind).length > 0 || used.has('bind') ? { BindOptions: draft.bind } : {}),
    ...(used.has('volume')
      ? { VolumeOptions: ordered(draft.volume, ['NoCopy', 'Labels', 'Subpath', 'DriverConfig']) }
      : {}),
    ...(used.has('image') ? { ImageOptions: draft.image } : {}),
    ...(used.has('tmpfs') ? { TmpfsOptions: draft.tmpfs } : {}),
  };
}

function ordered(options: Record<string, unknown>, keys: string[]): Record<string, unknown> {
  return Object.fromEntries(keys.filter((key) => key in options).map((key) => [key, options[key]]));
}

function applyRecursive(draft: Draft): string | undefined {
  switch (draft.bindRecursive) {
    case 'disabled':
      draft.bind.NonRecursive = true;
      return undefined;
    case 'writable':
      if (!draft.readOnly)
        return "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction";
      draft.bind.ReadOnlyNonRecursive = true;
      return undefined;
    case 'readonly':
      if (!draft.readOnly)
        return "option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction";
      if (draft.bind.Propagation !== 'rprivate')
        return "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction";
      draft.bind.ReadOnlyForceRecursive = true;
      return undefined;
    default:
      return undefined;
  }
}

/** `path` against `cwd`, cleaned as Go's `filepath.Abs` does. */
export function absolute(path: string, cwd: string): string {
  const parts: string[] = [];
  for (const part of `${path.startsWith('/') ? '' : cwd}/${path}`.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
