import type { ContainerSummary, PortSummary } from '../../client/model.ts';
import { humanDuration } from '../../wire/human-duration.ts';
import { quote } from '../../wire/quote.ts';
import { readImageName } from '../image-name.ts';
import { humanSize } from './human-size.ts';
import { ellipsis, labelList, shortId } from './labels.ts';
import { localTime } from './local-time.ts';
import { Struct } from './template/value.ts';

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

/** One line of `ps`. @param options.now seconds since 1970. */
export function containerRow(
  container: ContainerSummary,
  options: { truncate: boolean; now: number },
): Struct {
  const { truncate, now } = options;
  const mounts = container.Mounts ?? [];
  const fields = {
    Command: () => quote(truncate ? ellipsis(container.Command, 20) : container.Command),
    CreatedAt: () => localTime(container.Created),
    ID: () => (truncate ? shortId(container.Id) : container.Id),
    Image: () => imageOf(container, truncate),
    Labels: () => labelList(container.Labels),
    LocalVolumes: () => String(mounts.filter((mount) => mount.Driver === 'local').length),
    Mounts: () =>
      mounts
        .map((mount) => mount.Name || mount.Source || '')
        .map((name) => (truncate ? ellipsis(name, 15) : name))
        .join(','),
    Names: () => names(container, truncate),
    Networks: () => Object.keys(container.NetworkSettings?.Networks ?? {}).join(','),
    Platform: () => platform(container),
    Ports: () => portList(container.Ports ?? []),
    RunningFor: () => `${humanDuration(now - container.Created)} ago`,
    Size: () => size(container),
    State: () => container.State,
    Status: () => container.Status,
  };
  return new Struct('*formatter.ContainerContext', fields, {
    Label: (name) => container.Labels?.[String(name)] ?? '',
  });
}

function imageOf(container: ContainerSummary, truncate: boolean): string {
  const { Image: image, ImageID: id } = container;
  if (image === '') return '<no image>';
  if (!truncate) return image;
  if (shortId(id) === shortId(image)) return shortId(id);
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
