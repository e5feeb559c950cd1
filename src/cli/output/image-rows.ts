import type { ImageSummary } from '../../client/model.ts';
import { humanDuration } from '../../wire/human-duration.ts';
import type { Int64 } from '../../wire/int64.ts';
import { humanSize } from './human-size.ts';
import { shortId } from './labels.ts';
import { localTime } from './local-time.ts';
import { Struct } from './template/value.ts';

export const IMAGE_HEADERS = {
  ID: 'IMAGE ID',
  Repository: 'REPOSITORY',
  Tag: 'TAG',
  Digest: 'DIGEST',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  Containers: 'CONTAINERS',
  VirtualSize: 'SIZE',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
};

export const IMAGE_TABLE = '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}';
export const IMAGE_DIGEST_TABLE =
  '{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}';

export interface ImageRowOptions {
  truncate: boolean;
  digests: boolean;
  /** Seconds since 1970. */
  now: number;
}

interface Name {
  repository: string;
  tag: string;
  digest: string;
}

const NONE = '<none>';

/** An image's lines in `images`: one for each tag, and with `digests` for each digest. */
export function imageRows(image: ImageSummary, options: ImageRowOptions): Struct[] {
  return namesOf(image, options.digests).map((name) => row(image, name, options));
}

/** An image's line in `system df -v`: by its first tag alone. */
export function usageRow(image: ImageSummary, options: { truncate: boolean; now: number }): Struct {
  const [first] = isDangling(image) ? [] : group(image.RepoTags, ':');
  const [repository, tag] = first ?? [NONE, NONE];
  return row(image, { repository, tag, digest: '' }, { ...options, digests: false });
}

/** Whether an image has neither tag nor digest to its name. */
export function isDangling({ RepoTags, RepoDigests }: ImageSummary): boolean {
  const none = (names: string[] | null, name: string) =>
    (names ?? []).length === 0 || (names?.length === 1 && names[0] === name);
  return none(RepoTags, '<none>:<none>') && none(RepoDigests, '<none>@<none>');
}

function namesOf(image: ImageSummary, digests: boolean): Name[] {
  // Most of a list's images have one tag and no digest to show beside it.
  const tag = digests ? undefined : onlyTag(image);
  if (tag !== undefined) return [tag];
  const tags = group(image.RepoTags, ':').filter(([repository]) => repository !== NONE);
  const byRepository = new Map<string, string[]>();
  for (const [repository, digest] of group(image.RepoDigests, '@'))
    if (repository !== NONE) byRepository.set(repository, [...(byRepository.get(repository) ?? []), digest]);
  const names: Name[] = [];
  for (const [repository, tag] of tags) {
    const own = digests ? (byRepository.get(repository) ?? [NONE]) : [NONE];
    for (const digest of own) names.push({ repository, tag, digest });
  }
  for (const [repository] of tags) byRepository.delete(repository);
  for (const [repository, own] of byRepository)
    for (const digest of digests ? own : [NONE]) names.push({ repository, tag: NONE, digest });
  return names.length > 0 ? names : [{ repository: NONE, tag: NONE, digest: NONE }];
}

/** The name of an image that has a tag, and at most a digest of that tag's repository beside it. */
function onlyTag({ RepoTags, RepoDigests }: ImageSummary): Name | undefined {
  if (RepoTags?.length !== 1 || (RepoDigests?.length ?? 0) > 1) return undefined;
  const [name = ''] = RepoTags;
  const at = name.lastIndexOf(':');
  const repository = name.slice(0, at);
  if (at < 0 || repository === NONE) return undefined;
  if (RepoDigests?.[0]?.startsWith(`${repository}@`) === false) return undefined;
  return { repository, tag: name.slice(at + 1), digest: NONE };
}

function group(names: string[] | null, separator: string): [string, string][] {
  return (names ?? []).map((name) => {
    const at = name.lastIndexOf(separator);
    return at < 0 ? [name, ''] : [name.slice(0, at), name.slice(at + 1)];
  });
}

interface Row extends Name {
  image: ImageSummary;
  options: ImageRowOptions;
}

function row(image: ImageSummary, { repository, tag, digest }: Name, options: ImageRowOptions): Struct {
  const data: Row = { repository, tag, digest, image, options };
  return new Struct('*formatter.imageContext', FIELDS, undefined, data);
}

const FIELDS: Readonly<Record<string, (row: Row) => string>> = {
  Containers: ({ image }) => known(image.Containers, () => String(image.Containers)),
  CreatedAt: ({ image }) => localTime(image.Created),
  CreatedSince: ({ image, options }) => `${humanDuration(options.now - image.Created)} ago`,
  Digest: ({ digest }) => digest,
  ID: ({ image, options }) => (options.truncate ? shortId(image.Id) : image.Id),
  Repository: ({ repository }) => repository,
  SharedSize: ({ image }) => known(image.SharedSize, () => humanSize(image.SharedSize)),
  Size: ({ image }) => humanSize(image.Size, 3),
  Tag: ({ tag }) => tag,
  UniqueSize: ({ image }) =>
    known(image.Size, () =>
      known(image.SharedSize, () => humanSize(Number(image.Size) - Number(image.SharedSize))),
    ),
  VirtualSize: ({ image }) => humanSize(image.Size),
};

function known(value: Int64, text: () => string): string {
  return Number(value) === -1 ? 'N/A' : text();
}
