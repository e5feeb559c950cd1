import type { ImageInspect, ImageSummary } from '../../wire/image.ts';
import type { Commit, EventMessage, SystemInfo } from '../../wire/system.ts';
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

/** What an image's `Config` had of a container's before 1.50, and all that `ContainerConfig` had before 1.45. */
const CONTAINER_FIELDS = {
  Hostname: '',
  Domainname: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: '',
};
const NO_CONTAINER_CONFIG = {
  ...CONTAINER_FIELDS,
  User: '',
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

/** Newest first, after moby's api/docs/CHANGELOG.md. */
const STEPS: readonly Converters[] = [
  {
    since: '1.50',
    imageInspect: (image) => ({ ...image, Config: { ...CONTAINER_FIELDS, ...image.Config } }),
    info: (info) => ({ ...info, BridgeNfIptables: false, BridgeNfIp6tables: false }),
  },
  {
    since: '1.49',
    info: ({ FirewallBackend: _, ...info }) => ({
      ...info,
      ContainerdCommit: expected(info.ContainerdCommit),
      RuncCommit: expected(info.RuncCommit),
      InitCommit: expected(info.InitCommit),
    }),
  },
  {
    since: '1.48',
    imageSummary: ({ Descriptor: _, ...image }) => image,
    imageInspect: ({ Descriptor: _, ...image }) => image,
  },
  {
    since: '1.47',
    info: (info) => ({
      ...info,
      RegistryConfig: {
        AllowNondistributableArtifactsCIDRs: null,
        AllowNondistributableArtifactsHostnames: null,
        ...info.RegistryConfig,
      },
    }),
  },
  { since: '1.45', imageInspect: (image) => ({ ...image, ContainerConfig: NO_CONTAINER_CONFIG }) },
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

/** As Docker: a program that isn't there has no expectation either. */
function expected(commit: Commit): Commit {
  return commit.ID === '' ? commit : { ...commit, Expected: commit.ID };
}

function isEmpty(list: string[] | null): boolean {
  return list === null || list.length === 0;
}
