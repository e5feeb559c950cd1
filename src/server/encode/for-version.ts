import type { ImageInspect, ImageSummary } from '../../wire/image.ts';
import type { EventMessage, SystemInfo } from '../../wire/system.ts';
import { compareApiVersions } from '../../wire/versions.ts';

/** What answers looked like before an API version: each converter takes the newer form one step back. */
interface Converters {
  /** The first version that has the newer form. */
  since: string;
  imageSummary?: (image: ImageSummary) => ImageSummary;
  imageInspect?: (image: ImageInspect) => ImageInspect;
  info?: (info: SystemInfo) => SystemInfo;
  event?: (event: EventMessage) => EventMessage;
}

/** Newest first, after moby's api/docs/CHANGELOG.md. */
const STEPS: readonly Converters[] = [
  { since: '1.49', info: ({ FirewallBackend: _, ...info }) => info },
  {
    since: '1.48',
    imageSummary: ({ Descriptor: _, ...image }) => image,
    imageInspect: ({ Descriptor: _, ...image }) => image,
  },
  { since: '1.46', info: ({ CDISpecDirs: _, ...info }) => ({ ...info, CDISpecDirs: null }) },
  {
    since: '1.44',
    imageSummary: (image) => ({ ...image, VirtualSize: image.Size }),
    imageInspect: (image) => ({ ...image, VirtualSize: image.Size, Created: image.Created ?? '' }),
  },
  {
    since: '1.43',
    imageSummary: (image) =>
      isEmpty(image.RepoTags) && isEmpty(image.RepoDigests)
        ? { ...image, RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] }
        : image,
  },
];

/** The answer as a client of `version` knows it. */
export function forVersion<Kind extends Exclude<keyof Converters, 'since'>>(
  kind: Kind,
  version: string,
  answer: Parameters<NonNullable<Converters[Kind]>>[0],
): Parameters<NonNullable<Converters[Kind]>>[0] {
  let converted = answer;
  for (const step of STEPS) {
    if (compareApiVersions(version, step.since) >= 0) break;
    const convert = step[kind] as ((answer: typeof converted) => typeof converted) | undefined;
    if (convert !== undefined) converted = convert(converted);
  }
  return converted;
}

function isEmpty(list: string[] | null): boolean {
  return list === null || list.length === 0;
}
