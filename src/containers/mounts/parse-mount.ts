import { EngineError } from '../../errors/engine-error.ts';
import { badDestination, isLocalPath, notAbsolute, PROPAGATIONS } from './mount-mode.ts';
import type { MountRequest } from './mount-point.ts';

type Fault = string | undefined;

const OPTIONS = ['bind', 'volume', 'tmpfs', 'image'] as const;
const OPTION_FIELDS = {
  bind: 'BindOptions',
  volume: 'VolumeOptions',
  tmpfs: 'TmpfsOptions',
  image: 'ImageOptions',
} as const;

/** Names of the errors that sources of binds were looked for in vain with: `ENOENT`. */
export type SourceFaults = ReadonlyMap<string, string>;

/**
 * Check one of `HostConfig.Mounts` by itself, the source of a bind included.
 *
 * @throws EngineError "invalid" in Docker's words.
 */
export function checkMount(mount: MountRequest, faults: SourceFaults): void {
  const mixed = OPTIONS.find((name) => name !== 'image' && name !== mount.type && mount[name] !== undefined);
  if (mixed !== undefined && (mount.type === 'bind' || mount.type === 'volume' || mount.type === 'tmpfs'))
    throw new EngineError(
      'invalid',
      `${OPTION_FIELDS[mixed]} must not be specified on mount type "${mount.type}"`,
    );
  const fault = faultOf(mount, faults);
  if (fault !== undefined)
    throw new EngineError('invalid', `invalid mount config for type "${mount.type}": ${fault}`);
}

function faultOf(mount: MountRequest, faults: SourceFaults): Fault {
  const other = OPTIONS.find((name) => name !== mount.type && mount[name] !== undefined);
  if (other !== undefined) return `field ${OPTION_FIELDS[other]} must not be specified`;
  if (mount.target === '') return 'field Target must not be empty';
  if (mount.target.includes('\0') || mount.source.includes('\0')) return 'NUL byte in a path';
  return badDestination(mount.target) ?? typeFault(mount, faults);
}

function typeFault(mount: MountRequest, faults: SourceFaults): Fault {
  switch (mount.type) {
    case 'bind':
      return bindFault(mount, faults);
    case 'volume':
      return volumeFault(mount);
    case 'tmpfs':
      return mount.source === '' ? tmpfsFault(mount.tmpfs) : 'field Source must not be specified';
    case 'image':
      return mount.source === '' ? 'field Source must not be empty' : subpathFault(mount.image?.subpath);
    default:
      return 'mount type unknown';
  }
}

function bindFault({ source, bind }: MountRequest, faults: SourceFaults): Fault {
  if (source === '') return 'field Source must not be empty';
  const propagation = bind?.propagation ?? '';
  if (propagation !== '' && !PROPAGATIONS.includes(propagation))
    return `invalid propagation mode: ${propagation}`;
  const missing = bind?.createMountpoint === true ? undefined : faults.get(source);
  return notAbsolute(source) ?? (missing === undefined ? undefined : sourceFault(source, missing));
}

function sourceFault(source: string, code: string): Fault {
  return code === 'ENOENT' ? `bind source path does not exist: ${source}` : `stat ${source}: ${code}`;
}

function volumeFault({ source, readOnly, volume }: MountRequest): Fault {
  if (source === '' && (volume?.subpath ?? '') !== '')
    return 'must not set Subpath when using anonymous volumes';
  if (source === '' && readOnly) return 'must not set ReadOnly mode when using anonymous volumes';
  return subpathFault(volume?.subpath);
}

function subpathFault(subpath = ''): Fault {
  if (subpath === '' || isLocalPath(subpath)) return undefined;
  return 'subpath must be a relative path within the volume';
}

function tmpfsFault(tmpfs: MountRequest['tmpfs']): Fault {
  for (const option of tmpfs?.options ?? []) {
    if (option.length < 1 || option.length > 2) return 'invalid option array length';
    const [name = ''] = option;
    if (name !== 'exec' && name !== 'noexec') return `invalid option: ${name}`;
  }
  return undefined;
}

/** As after the colon of `--tmpfs`. */
export function tmpfsWords({ readOnly, tmpfs }: MountRequest): string {
  const { sizeBytes = 0, mode = 0, options = [] } = tmpfs ?? {};
  return [
    ...(readOnly ? ['ro'] : []),
    ...(mode === 0 ? [] : [`mode=${mode.toString(8)}`]),
    ...(sizeBytes === 0 ? [] : [`size=${sizeBytes}`]),
    ...options.map((option) => option.join('=')),
  ].join(',');
}
