import { lstatSync, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import type { SpecLinux } from '../runtime-spec.ts';
import type { SpecDeviceRequest } from './spec-input.ts';

export type SpecDevice = NonNullable<SpecLinux['devices']>[number];

export interface DeviceRule {
  allow: boolean;
  access: string;
  type?: string;
  major?: number;
  minor?: number;
}

/** zero, null, urandom, random, tty, console; and no fuse. The runtime itself adds mknod, ptmx and pts. */
const DEFAULT_ALLOWED = [
  [1, 5],
  [1, 3],
  [1, 9],
  [1, 8],
  [5, 0],
  [5, 1],
] as const;
const FUSE = [10, 229] as const;
const SKIPPED_FOLDERS = new Set(['pts', 'shm', 'fd', 'mqueue', '.lxc', '.lxd-mounts', '.udev']);
const MAX_DEPTH = 8;

export interface ContainerDevices {
  devices: SpecDevice[];
  rules: DeviceRule[];
}

/** Devices to make and the cgroup's rules for them, `more` among them. Privileged: all of the host's, no limits. */
export function containerDevices(
  requests: readonly SpecDeviceRequest[],
  privileged: boolean,
  more: readonly string[] = [],
): ContainerDevices {
  if (privileged) return { devices: hostDevices('/dev', 0), rules: [{ allow: true, access: 'rwm' }] };
  const found = requests.flatMap(requestedDevices);
  return {
    devices: found.map(({ device }) => device),
    rules: [
      { allow: false, access: 'rwm' },
      ...DEFAULT_ALLOWED.map(([major, minor]) => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
      { allow: false, type: 'c', major: FUSE[0], minor: FUSE[1], access: 'rwm' },
      ...found.map(({ device, access }) => ({
        allow: true,
        type: device.type,
        major: device.major,
        minor: device.minor,
        access,
      })),
      ...more.map(parseRule),
    ],
  };
}

/** `c 1:3 mr`; `a`, and `*` for a number, mean all. */
function parseRule(rule: string): DeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(rule);
  if (match === null) throw new EngineError('invalid', `invalid device cgroup rule format: '${rule}'`);
  const [, type = 'a', major = '*', minor = '*', access = 'rwm'] = match;
  return {
    allow: true,
    type,
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}

function requestedDevices(request: SpecDeviceRequest): { device: SpecDevice; access: string }[] {
  const access = request.cgroupPermissions === '' ? 'rwm' : request.cgroupPermissions;
  if (!/^[rwm]{1,3}$/.test(access)) throw new EngineError('invalid', `invalid device mode: ${access}`);
  const stat = statOf(request);
  if (stat.isDirectory()) {
    const devices = hostDevices(request.pathOnHost, 0);
    if (devices.length === 0) throw gathering(request.pathOnHost, 'not a device node');
    return devices.map((device) => ({
      device: {
        ...device,
        path: join(request.pathInContainer, device.path.slice(request.pathOnHost.length)),
      },
      access,
    }));
  }
  const device = deviceOf(request.pathInContainer, stat);
  if (device === undefined) throw gathering(request.pathOnHost, 'not a device node');
  return [{ device, access }];
}

function statOf(request: SpecDeviceRequest): Stats {
  try {
    return statSync(request.pathOnHost);
  } catch {
    throw gathering(request.pathOnHost, 'no such file or directory');
  }
}

function gathering(path: string, why: string): EngineError {
  return new EngineError(
    'invalid',
    `error gathering device information while adding custom device ${JSON.stringify(path)}: ${why}`,
  );
}

function hostDevices(folder: string, depth: number): SpecDevice[] {
  if (depth > MAX_DEPTH) return [];
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : hostDevices(path, depth + 1);
      if (entry.name === 'console' || !(entry.isCharacterDevice() || entry.isBlockDevice())) return [];
      const device = deviceOf(path, lstatSync(path));
      return device === undefined ? [] : [device];
    });
}

function deviceOf(path: string, stat: Stats): SpecDevice | undefined {
  if (!stat.isCharacterDevice() && !stat.isBlockDevice()) return undefined;
  return {
    path,
    type: stat.isBlockDevice() ? 'b' : 'c',
    ...deviceNumber(stat.rdev),
    fileMode: stat.mode & 0o777,
    uid: stat.uid,
    gid: stat.gid,
  };
}

/** glibc's layout of a 64-bit device number; what Linux has in use fits in 32 bits. */
export function deviceNumber(rdev: number): { major: number; minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
