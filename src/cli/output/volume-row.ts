import type { VolumeUsage } from '../../client/model.ts';
import { humanSize } from './human-size.ts';
import { labelList } from './labels.ts';
import { Struct } from './template/value.ts';

/** Column headers of a list of volumes. */
export const VOLUME_HEADERS = {
  Availability: 'AVAILABILITY',
  Driver: 'DRIVER',
  Group: 'GROUP',
  Labels: 'LABELS',
  Links: 'LINKS',
  Mountpoint: 'MOUNTPOINT',
  Name: 'VOLUME NAME',
  Scope: 'SCOPE',
  Size: 'SIZE',
  Status: 'STATUS',
};

export function volumeRow(volume: VolumeUsage): Struct {
  const { UsageData: usage } = volume;
  const none = () => 'N/A';
  const known = usage !== undefined && usage !== null;
  return new Struct(
    '*formatter.volumeContext',
    {
      Availability: none,
      Driver: () => volume.Driver,
      Group: none,
      Labels: () => labelList(volume.Labels),
      Links: () => (known ? String(usage.RefCount) : 'N/A'),
      Mountpoint: () => volume.Mountpoint,
      Name: () => volume.Name,
      Scope: () => volume.Scope,
      Size: () => (known ? humanSize(usage.Size) : 'N/A'),
      Status: none,
    },
    { Label: (name) => volume.Labels?.[String(name)] ?? '' },
  );
}
