import { parseByteSize } from '../../wire/byte-size.ts';
import { quote } from '../../wire/quote.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { CacheSharing, RunMount, RunMountType } from './instruction.ts';
import { cutOption, optionFields, requireBool } from './option-fields.ts';
import { didYouMean } from './suggest.ts';

type Draft = { -readonly [K in keyof RunMount]: RunMount[K] } & { readOnlySet: boolean };

const TYPES: readonly RunMountType[] = ['bind', 'cache', 'tmpfs', 'secret', 'ssh'];
const SHARINGS: readonly CacheSharing[] = ['shared', 'private', 'locked'];
const KEYS: readonly string[] =
  'type from source target readonly id sharing required size mode uid gid src dst destination ro rw readwrite env'.split(
    ' ',
  );

/**
 * Look at a `--mount` before variables are known: only that it is a list of fields, and that `from` names its stage without any.
 *
 * @returns the stage or image after `from`, '' without one: what the graph of stages needs to know.
 * @throws DockerfileError without a range.
 */
export function checkRunMount(text: string): string {
  let from = '';
  for (const field of optionFields(text, 'mounts')) {
    const { key, value } = cutOption(field);
    if (key !== 'from' || value === undefined) continue;
    const dollar = value.indexOf('$');
    if (dollar >= 0 && dollar !== value.length - 1) {
      throw new DockerfileError("'from' doesn't support variable expansion, define alias stage instead");
    }
    from = value;
  }
  return from;
}

/** One `--mount`. @throws DockerfileError without a range. */
export function readRunMount(text: string, expand: (text: string) => string): RunMount {
  const draft: Draft = {
    type: 'bind',
    from: '',
    source: '',
    target: '',
    readOnly: false,
    sizeBytes: 0n,
    id: '',
    sharing: undefined,
    required: false,
    env: undefined,
    mode: undefined,
    uid: undefined,
    gid: undefined,
    readOnlySet: false,
  };
  for (const field of optionFields(text, 'mounts')) {
    const { key, value } = cutOption(field);
    if (value === undefined) setSwitch(draft, key, field);
    else setField(draft, key, expand(value), field);
  }
  const { readOnlySet, ...mount } = draft;
  checkWhole(mount);
  const writable = mount.type === 'cache' || mount.type === 'tmpfs';
  return readOnlySet ? mount : { ...mount, readOnly: !writable };
}

function setSwitch(draft: Draft, key: string, field: string): void {
  switch (key) {
    case 'readonly':
    case 'ro':
    case 'readwrite':
    case 'rw':
      draft.readOnly = key.startsWith('ro') || key === 'readonly';
      draft.readOnlySet = true;
      return;
    case 'required':
      requireType(draft, key, ['secret', 'ssh']);
      draft.required = true;
      return;
    default:
      throw new DockerfileError(`invalid field '${field}' must be a key=value pair`);
  }
}

function setField(draft: Draft, key: string, value: string, field: string): void {
  switch (key) {
    case 'type':
      draft.type = oneOf(value, TYPES, 'mount type');
      return;
    case 'sharing':
      draft.sharing = oneOf(value, SHARINGS, 'sharing value');
      return;
    case 'from':
    case 'id':
    case 'env':
      draft[key] = value;
      return;
    case 'source':
    case 'src':
      draft.source = value;
      return;
    case 'target':
    case 'dst':
    case 'destination':
      draft.target = value;
      return;
    default:
      setChecked(draft, key, value, field);
  }
}

function setChecked(draft: Draft, key: string, value: string, field: string): void {
  switch (key) {
    case 'readonly':
    case 'ro':
      draft.readOnly = requireBool(key, value);
      draft.readOnlySet = true;
      return;
    case 'readwrite':
    case 'rw':
      draft.readOnly = !requireBool(key, value);
      draft.readOnlySet = true;
      return;
    case 'required':
      requireType(draft, key, ['secret', 'ssh']);
      draft.required = requireBool(key, value);
      return;
    case 'size':
      requireType(draft, key, ['tmpfs']);
      draft.sizeBytes = sizeField(key, value);
      return;
    case 'mode':
    case 'uid':
    case 'gid':
      draft[key] = unsigned(key, value);
      return;
    default:
      throw new DockerfileError(`unexpected key '${key}' in '${field}'${didYouMean(key, KEYS)}`);
  }
}

function oneOf<T extends string>(value: string, options: readonly T[], noun: string): T {
  const found = options.find((option) => option === value.toLowerCase());
  if (found !== undefined) return found;
  throw new DockerfileError(`unsupported ${noun} ${quote(value)}${didYouMean(value, options)}`);
}

/** Fields are read from left to right: those that only some types have come after `type`. */
function requireType(draft: Draft, key: string, types: readonly RunMountType[]): void {
  if (types.includes(draft.type)) return;
  throw new DockerfileError(`unexpected key '${key}' for mount type '${draft.type}'`);
}

function sizeField(key: string, value: string): bigint {
  const parsed = parseByteSize(value);
  if (typeof parsed === 'bigint' && parsed >= 0n && parsed < 2n ** 63n) return parsed;
  throw new DockerfileError(`invalid value for ${key}: ${value}`);
}

function unsigned(key: 'mode' | 'uid' | 'gid', value: string): number {
  const pattern = key === 'mode' ? /^[0-7]{1,64}$/ : /^\d{1,64}$/;
  const number = pattern.test(value) ? Number.parseInt(value, key === 'mode' ? 8 : 10) : Infinity;
  if (number > 0xffff_ffff) throw new DockerfileError(`invalid value ${value} for ${key}`);
  return number;
}

function checkWhole(mount: RunMount): void {
  const { type, from, source, target, id, sharing } = mount;
  if (type === 'bind' || type === 'tmpfs') {
    const owner = (['mode', 'uid', 'gid'] as const).find((key) => mount[key] !== undefined);
    if (owner !== undefined) throw new DockerfileError(`${owner} not allowed for "${type}" type mounts`);
  }
  if (type === 'secret') {
    if (from !== '') throw new DockerfileError('secret mount should not have a from');
    if (sharing !== undefined) throw new DockerfileError('secret mount should not define sharing');
    if (source === '' && target === '' && id === '') {
      throw new DockerfileError('invalid secret mount. one of source, target required');
    }
    if (source !== '' && id !== '') throw new DockerfileError("both source and id can't be set");
  }
  if (sharing !== undefined && type !== 'cache') {
    throw new DockerfileError(`invalid cache sharing set for ${type} mount`);
  }
}
