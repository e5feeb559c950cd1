import type { VolumeView } from '../../volumes/volume-backend.ts';
import { formatTime } from '../../wire/time.ts';
import type { VolumeInspect } from '../../wire/volume.ts';

const SECOND = 1_000_000_000n;

/** By this Docker tells the volumes that nobody named. */
const ANONYMOUS = 'com.docker.volume.anonymous';

export function volumeLabels({ anonymous, labels = {} }: VolumeView): Record<string, string> {
  return anonymous ? { ...labels, [ANONYMOUS]: '' } : { ...labels };
}

export function encodeVolume(volume: VolumeView): VolumeInspect {
  const { name, path, createdNano, anonymous, labels, options } = volume;
  const status = statusOf(volume);
  return {
    CreatedAt: formatTime(createdNano - (createdNano % SECOND)),
    Driver: 'local',
    Labels: anonymous || labels !== undefined ? sorted(volumeLabels(volume)) : null,
    Mountpoint: path,
    Name: name,
    Options: options === undefined ? null : sorted(options),
    Scope: 'local',
    ...(Object.keys(status).length === 0 ? {} : { Status: status }),
  };
}

/** What a driver has to tell: ours, of owner and mode that were asked for. */
function statusOf({ owner, mode }: VolumeView): Record<string, string> {
  return {
    ...(owner === undefined ? {} : { Owner: `${owner.uid}:${owner.gid}` }),
    ...(mode === undefined ? {} : { Mode: mode.toString(8).padStart(4, '0') }),
  };
}

function sorted(map: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}
