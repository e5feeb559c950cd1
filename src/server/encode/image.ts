import type {
  DeleteResult,
  HistoryView,
  ImageView,
  PullProgress,
  TransferLine,
} from '../../images/image-backend.ts';
import type { ManifestView } from '../../images/manifest-views.ts';
import type { ImageProcessConfig } from '../../oci/image-config.ts';
import type {
  ImageConfig,
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImageSummary,
  ManifestSummary,
  ProgressMessage,
} from '../../wire/image.ts';
import { encodeOciPlatform } from '../../wire/oci-descriptor.ts';
import { formatTime, parseTime } from '../../wire/time.ts';
import { encodeHealthcheck, keySet, nullIfEmpty } from './container-config.ts';
import { encodeOciDescriptor } from './descriptor.ts';

/** Answer of `GET /images/{name}/json`. */
export function encodeImage(view: ImageView, driver: string): ImageInspect {
  const { platform } = view;
  return {
    Id: view.id,
    RepoTags: view.repoTags,
    RepoDigests: view.repoDigests,
    Parent: '',
    Comment: view.config.history.at(-1)?.comment ?? '',
    ...(view.created === undefined ? {} : { Created: view.created }),
    DockerVersion: '',
    Author: view.config.author ?? '',
    Architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { Variant: platform.variant }),
    Os: platform.os,
    ...(platform.osVersion === undefined ? {} : { OsVersion: platform.osVersion }),
    Size: view.size,
    GraphDriver: { Data: null, Name: driver },
    RootFS: { Type: 'layers', Layers: view.config.diffIds },
    Metadata: { LastTagTime: formatTime(view.lastTaggedNano ?? 0n) },
    Descriptor: encodeOciDescriptor(view.descriptor),
    Config: encodeImageConfig(view.config.config),
  };
}

export interface ImageSummaryContext {
  sharedSize: number;
  containers: number;
}

/** An element of `GET /images/json`. */
export function encodeImageSummary(view: ImageView, context: ImageSummaryContext): ImageSummary {
  return {
    Containers: context.containers,
    Created: createdSeconds(view.created),
    Id: view.id,
    Labels: Object.keys(view.config.config.labels).length === 0 ? null : view.config.config.labels,
    ParentId: '',
    RepoDigests: view.repoDigests,
    RepoTags: view.repoTags,
    SharedSize: context.sharedSize,
    Size: view.size,
    Descriptor: encodeOciDescriptor(view.descriptor),
  };
}

/** A manifest of an image, with `manifests=1`. */
export function encodeManifestView(view: ManifestView): ManifestSummary {
  const { descriptor, available, contentBytes, kind, platform, unpackedBytes, containers, attests } = view;
  return {
    ID: descriptor.digest,
    Descriptor: encodeOciDescriptor(descriptor),
    Available: available,
    Size: { Content: contentBytes, Total: contentBytes + unpackedBytes },
    Kind: kind,
    ...(kind === 'image'
      ? {
          ImageData: {
            Platform: encodeOciPlatform(platform ?? { os: '', architecture: '' }),
            Size: { Unpacked: unpackedBytes },
            Containers: nullIfEmpty(containers),
          },
        }
      : {}),
    ...(attests === undefined ? {} : { AttestationData: { For: attests } }),
  };
}

function encodeImageConfig(config: ImageProcessConfig): ImageConfig {
  return {
    ...(config.argsEscaped ? { ArgsEscaped: true } : {}),
    Cmd: config.cmd ?? null,
    Entrypoint: config.entrypoint ?? null,
    Env: nullIfEmpty(config.env),
    ...(config.exposedPorts.length === 0 ? {} : { ExposedPorts: keySet(config.exposedPorts) }),
    ...(config.healthcheck === undefined ? {} : { Healthcheck: encodeHealthcheck(config.healthcheck) }),
    Labels: Object.keys(config.labels).length === 0 ? null : config.labels,
    OnBuild: nullIfEmpty(config.onBuild),
    ...(config.shell === undefined ? {} : { Shell: config.shell }),
    ...(config.stopSignal === undefined ? {} : { StopSignal: config.stopSignal }),
    User: config.user,
    Volumes: config.volumes.length === 0 ? null : keySet(config.volumes),
    WorkingDir: config.workingDir,
  };
}

export function encodeHistory(row: HistoryView): ImageHistoryItem {
  return {
    Comment: row.comment,
    Created: createdSeconds(row.created),
    CreatedBy: row.createdBy,
    Id: row.id ?? '<missing>',
    Size: row.size,
    Tags: nullIfEmpty(row.tags),
  };
}

export function encodeDeleted(result: DeleteResult): ImageDeleteItem {
  return 'untagged' in result ? { Untagged: result.untagged } : { Deleted: result.deleted };
}

/** One line of a pull. Lines about a layer carry details, if empty ones, since clients tell them by that. */
export function encodeProgress(line: PullProgress): ProgressMessage {
  const { id, status, current, total } = line;
  if (current === undefined)
    return id === undefined ? { status } : { status, ...(isLayerId(id) ? { progressDetail: {} } : {}), id };
  return {
    status,
    progressDetail: { current, ...(total === undefined ? {} : { total }) },
    progress: progressBar(current, total),
    ...(id === undefined ? {} : { id }),
  };
}

/** One line of a push or load. */
export function encodeTransferLine(line: TransferLine): ProgressMessage {
  if ('aux' in line) return { progressDetail: {}, aux: line.aux };
  return 'stream' in line ? line : encodeProgress(line);
}

function isLayerId(id: string): boolean {
  return /^[0-9a-f]{12}$/.test(id);
}

/** `[====>      ]  1.2MB/4.8MB`, for clients that only print. */
function progressBar(current: number, total: number | undefined): string {
  if (total === undefined || total <= 0) return humanSize(current).padStart(8);
  const done = Math.min(50, Math.floor((current / total) * 50));
  const bar = done < 50 ? `${'='.repeat(done)}>${' '.repeat(50 - done)}` : `${'='.repeat(50)}>`;
  return `[${bar}] ${humanSize(current).padStart(8)}/${humanSize(total)}`;
}

function humanSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}

function createdSeconds(created: string | undefined): number {
  const nano = created === undefined ? undefined : parseTime(created);
  // Go's zero time, as Docker shows it in seconds.
  if (nano === undefined || nano === 0n) return 0;
  return Number(nano / 1_000_000_000n);
}
