import { EngineError } from '../../../../errors/engine-error.ts';
import { absolute } from './mounts.ts';

/** `-v`: with a source it is a bind or a volume of that name (relative paths against `cwd`), alone an anonymous volume. */
export function parseVolumes(
  values: readonly string[],
  { cwd }: { cwd: string },
): { binds: string[] | null; volumes: Record<string, Record<string, never>> } {
  const binds: string[] = [];
  const volumes: Record<string, Record<string, never>> = {};
  for (const value of values) {
    if (value === '') throw new EngineError('invalid', 'invalid empty volume spec');
    checkSections(value);
    const at = value.length > 2 ? value.indexOf(':', isDrive(value) ? 2 : 0) : -1;
    const source = at < 0 ? '' : value.slice(0, at);
    if (at < 0) volumes[value] = {};
    else binds.push(/^\.{1,2}(?:\/|$)/.test(source) ? `${absolute(source, cwd)}${value.slice(at)}` : value);
  }
  return { binds: binds.length === 0 ? null : binds, volumes };
}

/** As the stock client: a letter and a colon in front may be a drive. */
function isDrive(value: string): boolean {
  return /^[a-z]:/i.test(value);
}

/** As the stock client: a letter and a colon in front may be a drive, and what is that short has no sections. */
function checkSections(value: string): void {
  const sections = value.replace(/^[a-z]:/i, 'x').split(':');
  if (value.length > 2 && sections.length > 1 && sections.includes(''))
    throw new EngineError('invalid', `invalid spec: ${value}: empty section between colons`);
}

/** `--tmpfs /run:size=64m` → options by path; undefined when there are none. */
export function parseTmpfs(values: readonly string[]): Record<string, string> | undefined {
  if (values.length === 0) return undefined;
  return Object.fromEntries(
    values.map((value) => {
      const at = value.indexOf(':');
      return at < 0 ? [value, ''] : [value.slice(0, at), value.slice(at + 1)];
    }),
  );
}

const DEVICE_MODE = /^[rwm]+$/;

/** `vendor.com/class=name`, which no path of the host's is. */
export function isCdiDevice(value: string): boolean {
  return /^[A-Za-z][\w.-]*\/[A-Za-z][\w-]*=[A-Za-z0-9][\w.:-]*$/.test(value);
}

/** `--device /dev/a:/dev/b:rw`. @throws EngineError "invalid" in Docker's words. */
export function parseDevice(value: string): {
  PathOnHost: string;
  PathInContainer: string;
  CgroupPermissions: string;
} {
  const parts = value.split(':');
  if (parts.length > 3 || parts[0] === '') throw new EngineError('invalid', `bad format for path: ${value}`);
  const [source = '', second, third] = parts;
  const secondIsMode = parts.length === 2 && second !== undefined && DEVICE_MODE.test(second);
  const target = second === undefined || second === '' || secondIsMode ? source : second;
  const mode = third ?? (secondIsMode ? second : 'rwm');
  if (!DEVICE_MODE.test(mode)) throw new EngineError('invalid', `bad mode specified: ${mode}`);
  if (!target.startsWith('/')) throw new EngineError('invalid', `${target} is not an absolute path`);
  return { PathOnHost: source, PathInContainer: target, CgroupPermissions: mode };
}
