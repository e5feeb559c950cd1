import type { BuildCacheRecord, DiskUsage } from '../../client/model.ts';
import { humanDuration } from '../../wire/human-duration.ts';
import { CONTAINER_HEADERS, containerRow } from './container-row.ts';
import { humanSize } from './human-size.ts';
import { IMAGE_HEADERS, usageRow } from './image-rows.ts';
import { shortId } from './labels.ts';
import { formatList } from './list-format.ts';
import { goTime } from './local-time.ts';
import { Struct } from './template/value.ts';
import { VOLUME_HEADERS, volumeRow } from './volume-row.ts';

export const USAGE_TABLE = '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}';
export const USAGE_RAW =
  'type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: {{.Reclaimable}}\n';
export const USAGE_HEADERS = {
  Type: 'TYPE',
  TotalCount: 'TOTAL',
  Active: 'ACTIVE',
  Size: 'SIZE',
  Reclaimable: 'RECLAIMABLE',
};

/** The four lines of `system df`: images, containers, volumes, build cache. */
export function usageRows(usage: DiskUsage): Struct[] {
  return [imagesRow(usage), containersRow(usage), volumesRow(usage), buildCacheRow(usage)];
}

interface Total {
  type: string;
  context: string;
  count: number;
  active: number;
  size: number;
  reclaimable: number;
  /** Whether the share is told too. */
  share: boolean;
}

function totalRow({ type, context, count, active, size, reclaimable, share }: Total): Struct {
  return new Struct(`*formatter.${context}`, {
    Active: () => String(active),
    Reclaimable: () => {
      const text = humanSize(reclaimable);
      return share && size > 0 ? `${text} (${Math.trunc((reclaimable * 100) / size)}%)` : text;
    },
    Size: () => humanSize(size),
    TotalCount: () => String(count),
    Type: () => type,
  });
}

function imagesRow({ Images, LayersSize }: DiskUsage): Struct {
  const images = Images ?? [];
  const used = images
    .filter((image) => image.Containers !== 0 && Number(image.Size) !== -1 && Number(image.SharedSize) !== -1)
    .reduce((sum, image) => sum + Number(image.Size) - Number(image.SharedSize), 0);
  return totalRow({
    type: 'Images',
    context: 'diskUsageImagesContext',
    count: images.length,
    active: images.filter((image) => image.Containers > 0).length,
    size: Number(LayersSize),
    reclaimable: Number(LayersSize) - used,
    share: true,
  });
}

const ACTIVE_STATES = new Set<string>(['running', 'paused', 'restarting']);

function containersRow({ Containers }: DiskUsage): Struct {
  const containers = Containers ?? [];
  const active = containers.filter(({ State }) => ACTIVE_STATES.has(State));
  const sum = (list: typeof containers) => list.reduce((total, each) => total + Number(each.SizeRw ?? 0), 0);
  return totalRow({
    type: 'Containers',
    context: 'diskUsageContainersContext',
    count: containers.length,
    active: active.length,
    size: sum(containers),
    reclaimable: sum(containers) - sum(active),
    share: true,
  });
}

function volumesRow({ Volumes }: DiskUsage): Struct {
  const volumes = (Volumes ?? []).map(({ UsageData }) => ({
    size: Number(UsageData?.Size ?? -1),
    references: UsageData?.RefCount ?? -1,
  }));
  const known = volumes.filter(({ size }) => size !== -1);
  const sum = (list: typeof volumes) => list.reduce((total, { size }) => total + size, 0);
  return totalRow({
    type: 'Local Volumes',
    context: 'diskUsageVolumesContext',
    count: volumes.length,
    active: volumes.filter(({ references }) => references > 0).length,
    size: sum(known),
    reclaimable: sum(known.filter(({ references }) => references === 0)),
    share: true,
  });
}

/** What several images share is counted with them. */
function buildCacheSize(records: readonly BuildCacheRecord[]): number {
  return records.reduce((sum, record) => sum + (record.Shared ? 0 : Number(record.Size)), 0);
}

function buildCacheRow({ BuildCache }: DiskUsage): Struct {
  const records = BuildCache ?? [];
  const active = records.filter(({ InUse }) => InUse);
  const size = buildCacheSize(records);
  return totalRow({
    type: 'Build Cache',
    context: 'diskUsageBuilderContext',
    count: records.length,
    active: active.length,
    size,
    reclaimable: size - buildCacheSize(active),
    share: false,
  });
}

export interface UsageDetails {
  Images: Struct[];
  Containers: Struct[];
  Volumes: Struct[];
  BuildCache: Struct[];
}

/** Every object's row, as `system df -v` lists it. */
export function usageDetails(usage: DiskUsage, options: { truncate: boolean; now: number }): UsageDetails {
  return {
    Images: (usage.Images ?? []).map((image) => usageRow(image, options)),
    Containers: (usage.Containers ?? []).map((container) =>
      containerRow({ ...container, SizeRw: Number(container.SizeRw ?? 0), SizeRootFs: 0 }, options),
    ),
    Volumes: (usage.Volumes ?? []).map(volumeRow),
    BuildCache: (usage.BuildCache ?? []).toSorted(byLastUse).map((record) => cacheRow(record, options)),
  };
}

const IMAGE_USAGE =
  '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}';
const CONTAINER_USAGE =
  '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}';
const VOLUME_USAGE = '{{.Name}}\t{{.Links}}\t{{.Size}}';
const CACHE_USAGE =
  '{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}';

/** The four tables of `system df -v`. */
export function usageTables(usage: DiskUsage, details: UsageDetails): string {
  const table = (rows: Struct[], source: string, headers: Readonly<Record<string, string>>) =>
    formatList(rows, { format: 'table', table: source, headers });
  return [
    `Images space usage:\n\n${table(details.Images, IMAGE_USAGE, IMAGE_HEADERS)}`,
    `\nContainers space usage:\n\n${table(details.Containers, CONTAINER_USAGE, CONTAINER_HEADERS)}`,
    `\nLocal Volumes space usage:\n\n${table(details.Volumes, VOLUME_USAGE, VOLUME_HEADERS)}`,
    `\nBuild cache usage: ${humanSize(buildCacheSize(usage.BuildCache ?? []))}\n\n`,
    table(details.BuildCache, CACHE_USAGE, CACHE_HEADERS),
  ].join('');
}

const CACHE_HEADERS = {
  ID: 'CACHE ID',
  CacheType: 'CACHE TYPE',
  Size: 'SIZE',
  CreatedSince: 'CREATED',
  LastUsedSince: 'LAST USED',
  UsageCount: 'USAGE',
  Shared: 'SHARED',
};

function cacheRow(record: BuildCacheRecord, { truncate, now }: { truncate: boolean; now: number }): Struct {
  const short = (id: string) => (truncate ? shortId(id) : id);
  const since = (time: string) => `${humanDuration(now - Date.parse(time) / 1000)} ago`;
  const used = record.LastUsedAt;
  return new Struct('*formatter.buildCacheContext', {
    CacheType: () => record.Type,
    CreatedAt: () => goTime(record.CreatedAt),
    CreatedSince: () => since(record.CreatedAt),
    Description: () => record.Description,
    ID: () => short(record.ID) + (record.InUse ? '*' : ''),
    InUse: () => String(record.InUse),
    LastUsedAt: () => (used === null ? '' : goTime(used)),
    LastUsedSince: () => (used === null ? '' : since(used)),
    Parent: () => short((record.Parents ?? []).join(', ') || (record.Parent ?? '')),
    Shared: () => String(record.Shared),
    Size: () => humanSize(record.Size, 3),
    UsageCount: () => String(record.UsageCount),
  });
}

/** What was never used first, then by last use. */
function byLastUse(left: BuildCacheRecord, right: BuildCacheRecord): number {
  const time = ({ LastUsedAt: at }: BuildCacheRecord) => (at === null ? -1 : Date.parse(at));
  return time(left) - time(right) || (left.ID < right.ID ? -1 : 1);
}
