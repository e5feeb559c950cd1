import type { ContainerSummary, PortSummary } from '../../client/model.ts';
import { humanDuration } from '../../wire/human-duration.ts';
import { quote } from '../../wire/quote.ts';
import { readImageName } from '../image-name.ts';
import { humanSize } from './human-size.ts';
import { ellipsis, labelList, shortId } from './labels.ts';
import { localTime } from './local-time.ts';
import { Struct, type Value } from './template/value.ts';

export const CONTAINER_HEADERS = {
  ID: 'CONTAINER ID',
  Names: 'NAMES',
  Image: 'IMAGE',
  Command: 'COMMAND',
  CreatedAt: 'CREATED AT',
  RunningFor: 'CREATED',
  Platform: 'PLATFORM',
  Ports: 'PORTS',
  State: 'STATE',
  Status: 'STATUS',
  Size: 'SIZE',
  Labels: 'LABELS',
  Mounts: 'MOUNTS',
  LocalVolumes: 'LOCAL VOLUMES',
  Networks: 'NETWORKS',
};

export const CONTAINER_TABLE =
  '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}';

/** A list's rows have these in common. */
export interface ContainerRowOptions {
  truncate: boolean;
  /** Seconds since 1970. */
  now: number;
}

interface RowData extends ContainerRowOptions {
  container: ContainerSummary;
}

const FIELDS = {
  Command: ({ container, truncate }: RowData) =>
    quote(truncate ? ellipsis(container.Command, 20) : container.Command),
  CreatedAt: ({ container }: RowData) => localTime(container.Created),
  ID: ({ container, truncate }: RowData) => (truncate ? shortId(container.Id) : container.Id),
  Image: ({ container, truncate }: RowData) => imageOf(container, truncate),
  Labels: ({ container }: RowData) => labelList(container.Labels),
  LocalVolumes: ({ container }: RowData) =>
    String((container.Mounts ?? []).filter((mount) => mount.Driver === 'local').length),
  Mounts: ({ container, truncate }: RowData) =>
    (container.Mounts ?? [])
      .map((mount) => mount.Name || mount.Source || '')
      .map((name) => (truncate ? ellipsis(name, 15) : name))
      .join(','),
  Names: ({ container, truncate }: RowData) => names(container, truncate),
  Networks: ({ container }: RowData) => Object.keys(container.NetworkSettings?.Networks ?? {}).join(','),
  Platform: ({ container }: RowData) => platform(container),
  Ports: ({ container }: RowData) => portList(container.Ports ?? []),
  RunningFor: ({ container, now }: RowData) => `${humanDuration(now - container.Created)} ago`,
  Size: ({ container }: RowData) => size(container),
  State: ({ container }: RowData) => container.State,
  Status: ({ container }: RowData) => container.Status,
};

const METHODS = {
  Label: ({ container }: RowData, name: Value) => container.Labels?.[String(name)] ?? '',
};

/** One line of `ps`. */
export function containerRow(container: ContainerSummary, options: ContainerRowOptions): Struct {
  return new Struct('*formatter.ContainerContext', FIELDS, METHODS, { container, ...options });
}

function imageOf(container: ContainerSummary, truncate: boolean): string {
  const { Image: image, ImageID: id } = container;
  if (image === '') return '<no image>';
  if (!truncate) return image;
  if (shortId(id) === shortId(image)) return shortId(id);
  return image.includes('@') ? withoutDigest(image) : image;
}

/** Of a name that has a tag as well. */
function withoutDigest(image: string): string {
  try {
    const name = readImageName(image);
    return name.tag !== undefined && name.digest !== undefined
      ? `${name.familiarRepository}:${name.tag}`
      : image;
  } catch {
    return image;
  }
}

/** Its own name and, untruncated, those by which links know it (`/other/alias`). */
function names(container: ContainerSummary, truncate: boolean): string {
  const all = (container.Names ?? []).map((name) => name.replace(/^\//, ''));
  return (truncate ? all.filter((name) => !name.includes('/')).slice(0, 1) : all).join(',');
}

function platform({ ImageManifestDescriptor: descriptor }: ContainerSummary): string | null {
  const { os, architecture, variant } = descriptor?.platform ?? {};
  return os === undefined ? null : [os, architecture, variant].filter(Boolean).join('/');
}

function size(container: ContainerSummary): string {
  const own = humanSize(container.SizeRw ?? 0, 3);
  const root = container.SizeRootFs ?? 0;
  return root > 0 ? `${own} (virtual ${humanSize(root, 3)})` : own;
}

interface PortRun {
  key: string;
  first: number;
  last: number;
}

/** `0.0.0.0:80->80/tcp, 443/tcp`: neighbours that are mapped alike are shown as a range. */
export function portList(ports: readonly PortSummary[]): string {
  if (ports.length === 0) return '';
  const sorted = ports.toSorted(
    (a, b) =>
      a.PrivatePort - b.PrivatePort ||
      compare(a.IP ?? '', b.IP ?? '') ||
      (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
      compare(a.Type, b.Type),
  );
  const finished: string[] = [];
  const mapped: string[] = [];
  const open = new Map<string, PortRun>();
  for (const { IP: ip = '', PrivatePort: port, PublicPort: hostPort = 0, Type: type } of sorted) {
    if (ip !== '' && hostPort !== port) {
      mapped.push(`${join(ip, String(hostPort))}->${port}/${type}`);
      continue;
    }
    const key = ip === '' ? type : `${ip}/${type}`;
    const run = open.get(key);
    if (run !== undefined && port === run.last + 1) run.last = port;
    else {
      if (run !== undefined) finished.push(show(run));
      if (run === undefined) open.set(key, { key, first: port, last: port });
      else Object.assign(run, { first: port, last: port });
    }
  }
  return [...finished, ...[...open.values()].map(show), ...mapped].join(', ');
}

function show({ key, first, last }: PortRun): string {
  const slash = key.lastIndexOf('/');
  const range = first === last ? String(first) : `${first}-${last}`;
  const type = key.slice(slash + 1);
  return slash < 0 ? `${range}/${type}` : `${join(key.slice(0, slash), range)}->${range}/${type}`;
}

function join(ip: string, port: string): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
