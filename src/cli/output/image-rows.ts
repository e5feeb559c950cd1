import type { ImageSummary } from '../../client/model.ts';
import { humanDuration } from '../../wire/human-duration.ts';
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

function namesOf(image: ImageSummary, digests: boolean): Name[] {
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

function group(names: string[] | null, separator: string): [string, string][] {
  return (names ?? []).map((name) => {
    const at = name.lastIndexOf(separator);
    return at < 0 ? [name, ''] : [name.slice(0, at), name.slice(at + 1)];
  });
}

function row(image: ImageSummary, name: Name, { truncate, now }: ImageRowOptions): Struct {
  const known = (value: number, text: () => string) => (value === -1 ? 'N/A' : text());
  return new Struct('*formatter.imageContext', {
    Containers: () => known(image.Containers, () => String(image.Containers)),
    CreatedAt: () => localTime(image.Created),
    CreatedSince: () => (image.Created <= 0 ? 'N/A' : `${humanDuration(now - image.Created)} ago`),
    Digest: () => name.digest,
    ID: () => (truncate ? shortId(image.Id) : image.Id),
    Repository: () => name.repository,
    SharedSize: () => known(image.SharedSize, () => humanSize(image.SharedSize)),
    Size: () => humanSize(image.Size, 3),
    Tag: () => name.tag,
    UniqueSize: () => (image.SharedSize === -1 ? 'N/A' : humanSize(image.Size - image.SharedSize)),
    VirtualSize: () => humanSize(image.Size),
  });
}
