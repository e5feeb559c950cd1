import type { MountRequest } from '../../containers/mounts/mount-point.ts';
import type { MountSpec } from '../../wire/host-config.ts';

/** An entry of `HostConfig.Mounts` as it was asked for; Go leaves out what is zero, and keeps a struct that was given. */
export function encodeMountRequest(mount: MountRequest): MountSpec {
  const { bind, volume, image, tmpfs } = mount;
  return {
    Type: mount.type as NonNullable<MountSpec['Type']>,
    ...(mount.source === '' ? {} : { Source: mount.source }),
    Target: mount.target,
    ...(mount.readOnly ? { ReadOnly: true } : {}),
    ...(mount.consistency === '' ? {} : { Consistency: mount.consistency }),
    ...(bind === undefined ? {} : { BindOptions: encodeBind(bind) }),
    ...(volume === undefined ? {} : { VolumeOptions: encodeVolumeOptions(volume) }),
    ...(image === undefined ? {} : { ImageOptions: given({ Subpath: image.subpath }) }),
    ...(tmpfs === undefined ? {} : { TmpfsOptions: encodeTmpfs(tmpfs) }),
  };
}

function encodeBind(bind: NonNullable<MountRequest['bind']>): object {
  return given({
    Propagation: bind.propagation,
    NonRecursive: bind.nonRecursive,
    CreateMountpoint: bind.createMountpoint,
    ReadOnlyNonRecursive: bind.readOnlyNonRecursive,
    ReadOnlyForceRecursive: bind.readOnlyForceRecursive,
  });
}

function encodeVolumeOptions({
  noCopy,
  labels,
  subpath,
  driver,
}: NonNullable<MountRequest['volume']>): object {
  return given({
    NoCopy: noCopy,
    Labels: emptyAsNone(labels),
    Subpath: subpath,
    DriverConfig:
      driver === undefined ? undefined : given({ Name: driver.name, Options: emptyAsNone(driver.options) }),
  });
}

function encodeTmpfs({ sizeBytes, mode, options }: NonNullable<MountRequest['tmpfs']>): object {
  return given({ SizeBytes: sizeBytes, Mode: mode, Options: options?.length === 0 ? undefined : options });
}

function emptyAsNone(map: Record<string, string> | undefined): Record<string, string> | undefined {
  return map === undefined || Object.keys(map).length === 0 ? undefined : map;
}

/** Go's `omitempty`. */
function given(fields: Record<string, unknown>): object {
  const entries = Object.entries(fields);
  return Object.fromEntries(
    entries.filter(([, value]) => value !== undefined && value !== '' && value !== false && value !== 0),
  );
}
