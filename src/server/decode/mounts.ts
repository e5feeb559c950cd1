import type { MountRequest } from '../../containers/mounts/mount-point.ts';
import { EngineError } from '../../errors/engine-error.ts';
import type { Json } from '../../wire/json.ts';
import { boolean, type Decoder, Fields, int, smallInt64, string, stringMap, strings } from './go-json.ts';

/** `HostConfig.Mounts`. What a mount's type does not take is decoded all the same: that it was said is what counts. */
export const mountRequests: Decoder<MountRequest[]> = (value, field) => {
  if (!Array.isArray(value))
    throw new EngineError(
      'invalid',
      `invalid JSON: json: cannot unmarshal ${typeof value} into Go struct field ${field} of type []mount.Mount`,
    );
  return value
    .map((item, index) => ({ item, at: `${field}.${index}` }))
    .filter(({ item }) => item !== null)
    .map(({ item, at }) => mountRequest(item, at));
};

function mountRequest(value: Json, field: string): MountRequest {
  const fields = new Fields(value, field, 'mount.Mount');
  const bind = fields.get('BindOptions', bindOptions);
  const volume = fields.get('VolumeOptions', volumeOptions);
  const image = fields.get('ImageOptions', imageOptions);
  const tmpfs = fields.get('TmpfsOptions', tmpfsOptions);
  return {
    type: fields.get('Type', string) ?? '',
    source: fields.get('Source', string) ?? '',
    target: fields.get('Target', string) ?? '',
    readOnly: fields.get('ReadOnly', boolean) ?? false,
    consistency: fields.get('Consistency', string) ?? '',
    ...(bind === undefined ? {} : { bind }),
    ...(volume === undefined ? {} : { volume }),
    ...(image === undefined ? {} : { image }),
    ...(tmpfs === undefined ? {} : { tmpfs }),
  };
}

const bindOptions: Decoder<NonNullable<MountRequest['bind']>> = (value, field) => {
  const fields = new Fields(value, field, 'mount.BindOptions');
  return {
    propagation: fields.get('Propagation', string) ?? '',
    nonRecursive: fields.get('NonRecursive', boolean) ?? false,
    createMountpoint: fields.get('CreateMountpoint', boolean) ?? false,
    readOnlyNonRecursive: fields.get('ReadOnlyNonRecursive', boolean) ?? false,
    readOnlyForceRecursive: fields.get('ReadOnlyForceRecursive', boolean) ?? false,
  };
};

const volumeOptions: Decoder<NonNullable<MountRequest['volume']>> = (value, field) => {
  const fields = new Fields(value, field, 'mount.VolumeOptions');
  const labels = fields.get('Labels', stringMap);
  const driver = fields.get('DriverConfig', driverConfig);
  return {
    noCopy: fields.get('NoCopy', boolean) ?? false,
    ...(labels === undefined ? {} : { labels }),
    subpath: fields.get('Subpath', string) ?? '',
    ...(driver === undefined ? {} : { driver }),
  };
};

const driverConfig: Decoder<{ name: string; options?: Record<string, string> }> = (value, field) => {
  const fields = new Fields(value, field, 'mount.Driver');
  const options = fields.get('Options', stringMap);
  return { name: fields.get('Name', string) ?? '', ...(options === undefined ? {} : { options }) };
};

const imageOptions: Decoder<NonNullable<MountRequest['image']>> = (value, field) => ({
  subpath: new Fields(value, field, 'mount.ImageOptions').get('Subpath', string) ?? '',
});

const tmpfsOptions: Decoder<NonNullable<MountRequest['tmpfs']>> = (value, field) => {
  const fields = new Fields(value, field, 'mount.TmpfsOptions');
  const options = fields.get('Options', optionLists);
  return {
    sizeBytes: fields.get('SizeBytes', smallInt64) ?? 0,
    mode: fields.get('Mode', int) ?? 0,
    ...(options === undefined ? {} : { options }),
  };
};

const optionLists: Decoder<string[][]> = (value, field) => {
  if (!Array.isArray(value)) return [strings(value, field)];
  return value.map((item) => (item === null ? [] : strings(item, field)));
};
