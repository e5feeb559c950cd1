import type { VolumeView } from '../../volumes/volume-backend.ts';
import { formatTime } from '../../wire/time.ts';
import type { VolumeInspect } from '../../wire/volume.ts';

const SECOND = 1_000_000_000n;

/** By this Docker tells the volumes that nobody named. */
const ANONYMOUS = 'com.docker.volume.anonymous';

export function volumeLabels({ anonymous }: VolumeView): Record<string, string> {
  return anonymous ? { [ANONYMOUS]: '' } : {};
}

export function encodeVolume(volume: VolumeView): VolumeInspect {
  const { name, path, createdNano, anonymous } = volume;
  return {
    CreatedAt: formatTime(createdNano - (createdNano % SECOND)),
    Driver: 'local',
    Labels: anonymous ? volumeLabels(volume) : null,
    Mountpoint: path,
    Name: name,
    Options: null,
    Scope: 'local',
  };
}
