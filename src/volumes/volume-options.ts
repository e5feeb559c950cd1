import { lookup } from 'node:dns/promises';
import { isIP, isIPv4 } from 'node:net';
import { getSystemErrorMap } from 'node:util';
import { EngineError, messageOf } from '../errors/engine-error.ts';
import type { MountCall } from '../sys/mount.ts';
import { MountError } from '../sys/mount-thread.ts';
import { mountBits, parseMountWords } from './mount-words.ts';

/** What the `local` driver takes: `type`, `o` and `device` of a mount, and `size`. */
export type VolumeOptions = Readonly<Record<string, string>>;

const NEEDED: Readonly<Record<string, readonly string[]>> = {
  type: ['device'],
  device: ['type'],
  o: ['device', 'type'],
  size: [],
};

/** @throws EngineError "invalid" in Docker's words for what no volume can be made with. */
export function checkVolumeOptions(options: VolumeOptions): void {
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(NEEDED, name));
  if (unknown !== undefined) refuse(`invalid option: ${JSON.stringify(unknown)}`);
  const { type, device = '', size } = options;
  if (type === 'cifs' && /^(\w+:)?\/\/[^/]*:\d+(\/|$)/.test(device))
    refuse("port not allowed in CIFS device URL, include 'port' in 'o='");
  if (size !== undefined && sizeBytes(size) > 0) refuse('quota size requested but no quota support');
  for (const [name, others] of Object.entries(NEEDED)) {
    const missing =
      options[name] === undefined ? undefined : others.find((other) => options[other] === undefined);
    if (missing !== undefined) refuse(`missing required option: ${JSON.stringify(missing)}`);
  }
}

const UNITS = 'kmgtp';

/** As go-units reads it: `10m`, `1.5GiB`, `512`. */
function sizeBytes(text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text) ?? [];
  if (number === '') refuse(`invalid size: '${text}'`);
  return Number(number) * 1024 ** (UNITS.indexOf(unit.toLowerCase()) + 1 - (unit === '' ? 1 : 0));
}

/** Whether such a volume is something else than its folder: mounted there while a container has it. */
export function isMountedVolume({ type, device }: VolumeOptions): boolean {
  return (type ?? '') !== '' || (device ?? '') !== '';
}

/**
 * The calls of mount(2) that put the volume's device on `target`; names of servers are looked up.
 *
 * @throws EngineError "internal" in Docker's words.
 */
export async function mountCalls(options: VolumeOptions, target: string): Promise<MountCall[]> {
  const { type = '', o = '' } = options;
  const { device, words } = await resolveServer(type, { device: options['device'] ?? '', words: o });
  if (device === '') throw new EngineError('internal', 'missing device in volume options');
  const { flags, propagation, data } = parseMountWords(words);
  const { readonly, remount, bind } = mountBits;
  const calls: MountCall[] = [{ source: device, target, type, flags, data }];
  if (propagation !== 0) calls.push({ source: 'none', target, flags: propagation });
  // A bind takes no other flags when it is made.
  if ((flags & bind) !== 0 && (flags & readonly) !== 0)
    calls.push({ source: 'none', target, flags: flags | remount });
  return calls;
}

interface Device {
  device: string;
  words: string;
}

async function resolveServer(type: string, { device, words }: Device): Promise<Device> {
  if (type !== 'nfs' && type !== 'cifs') return { device, words };
  const address = /(?:^|,)addr=([^,]*)/.exec(words)?.[1] ?? '';
  if (address !== '' && !isIPv4(address))
    return { device, words: words.replace(`addr=${address}`, `addr=${await addressOf(address)}`) };
  const host = type === 'cifs' ? (/^(?:\w+:)?\/\/([^/]+)/.exec(device)?.[1] ?? '') : '';
  if (host === '' || isIP(host) !== 0) return { device, words };
  return { device: device.replace(host, await addressOf(host)), words };
}

async function addressOf(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new EngineError(
      'internal',
      `error resolving passed in network volume address: lookup ${host}: no such host`,
      { cause: error },
    );
  }
}

/** What a failed mount is told with, in Docker's words; passwords are not shown. */
export function mountFailure(path: string, calls: readonly MountCall[], error: unknown): EngineError {
  const prefix = `error while mounting volume '${path}': `;
  if (!(error instanceof MountError))
    return new EngineError('internal', `${prefix}${messageOf(error)}`, { cause: error });
  const { source = '', target = path, flags = 0, data = '' } = calls[error.index] ?? {};
  const how = [
    ...(flags === 0 ? [] : [`, flags: 0x${flags.toString(16)}`]),
    ...(data === '' ? [] : [`, data: ${data.replace(/(^|,)password=[^,]*/g, '$1password=********')}`]),
  ].join('');
  const reason = getSystemErrorMap().get(-error.errno)?.[1] ?? `errno ${error.errno}`;
  return new EngineError(
    'internal',
    `${prefix}failed to mount local volume: mount ${source}:${target}${how}: ${reason}`,
    { code: 'syscall-failed', cause: error },
  );
}

function refuse(message: string): never {
  throw new EngineError('invalid', message);
}
