import { EngineError } from '../errors/engine-error.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import { objectField, optionalString, stringField } from './json-fields.ts';
import type { Index } from './manifest.ts';

/** An image's target, in Go's words (`linux`, `amd64`, `v8`). */
export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
  osVersion?: string;
}

const COMPONENT = /^[A-Za-z0-9_.-]+$/;
const OS_COMPONENT = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.-]*)\))?$/;
const OS_RULE = { kind: 'OSAndVersion', what: 'OS component', pattern: OS_COMPONENT };
const PART_RULE = { kind: 'platform', what: 'component', pattern: COMPONENT };
const OPERATING_SYSTEMS = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
);
const ARCHITECTURES = new Set(
  '386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm'.split(
    ' ',
  ),
);

/**
 * `os`, `architecture`, `os/architecture` or `os/architecture/variant`, with `os(version)` for `os`; what is left out is the host's.
 * Normalised.
 *
 * @throws EngineError "invalid".
 */
export function parsePlatform(text: string): Platform {
  const [first = '', ...others] = text.split('/');
  const match = OS_COMPONENT.exec(first);
  if (match === null) throw wrongComponent(text, first, OS_RULE);
  for (const part of others) if (!COMPONENT.test(part)) throw wrongComponent(text, part, PART_RULE);
  const [architecture, variant] = others;
  if (others.length > 2)
    throw new EngineError(
      'invalid',
      `${JSON.stringify(text)}: cannot parse platform specifier: invalid argument`,
    );
  const [, name = '', version] = match;
  const osVersion = version === undefined || version === '' ? {} : { osVersion: version };
  if (architecture !== undefined)
    return normalizePlatform({
      os: name,
      architecture,
      ...(variant === undefined ? {} : { variant }),
      ...osVersion,
    });
  const os = normalizeOs(name);
  if (OPERATING_SYSTEMS.has(os)) return { ...hostPlatform(), os, ...osVersion };
  const platform = normalizePlatform({ os: hostPlatform().os, architecture: name });
  if (ARCHITECTURES.has(platform.architecture)) return platform;
  throw new EngineError(
    'invalid',
    `${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`,
  );
}

/** In the words of containerd's platforms package. */
function wrongComponent(text: string, part: string, rule: { kind: string; what: string; pattern: RegExp }) {
  return new EngineError(
    'invalid',
    `${JSON.stringify(part)} is an invalid ${rule.what} of ${JSON.stringify(text)}: ${rule.kind} specifier component must match ${JSON.stringify(rule.pattern.source)}: invalid argument`,
  );
}

/** `linux/arm64/v8`: what the platform says, without normalising. */
export function formatPlatform(platform: Platform): string {
  return [platform.os || 'unknown', platform.architecture, platform.variant].filter(Boolean).join('/');
}

export function hostPlatform(): Platform {
  const names: Partial<Record<NodeJS.Architecture, Platform>> = {
    x64: { os: 'linux', architecture: 'amd64' },
    arm64: { os: 'linux', architecture: 'arm64' },
    arm: { os: 'linux', architecture: 'arm', variant: 'v7' },
    ia32: { os: 'linux', architecture: '386' },
    loong64: { os: 'linux', architecture: 'loong64' },
    ppc64: { os: 'linux', architecture: 'ppc64le' },
    riscv64: { os: 'linux', architecture: 'riscv64' },
    s390x: { os: 'linux', architecture: 's390x' },
  };
  return names[process.arch] ?? { os: 'linux', architecture: process.arch };
}

/** One spelling per platform: `x86_64` → `amd64`, `aarch64` and `arm64/v8` → `arm64`, `arm` → `arm/v7`, as containerd's. */
export function normalizePlatform(platform: Platform): Platform {
  const [architecture, variant] = normalizeArchitecture(
    platform.architecture.toLowerCase(),
    (platform.variant ?? '').toLowerCase(),
  );
  return {
    os: normalizeOs(platform.os),
    architecture,
    ...(variant === '' ? {} : { variant }),
    ...(platform.osVersion === undefined ? {} : { osVersion: platform.osVersion }),
  };
}

function normalizeOs(os: string): string {
  const lower = os.toLowerCase();
  return lower === '' ? 'linux' : lower === 'macos' ? 'darwin' : lower;
}

function normalizeArchitecture(architecture: string, variant: string): [string, string] {
  switch (architecture) {
    case 'i386':
      return ['386', ''];
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return ['amd64', variant === 'v1' ? '' : variant];
    case 'aarch64':
    case 'arm64':
      return ['arm64', variant === '8' || variant === 'v8' || variant === 'v8.0' ? '' : withoutZero(variant)];
    case 'armhf':
      return ['arm', 'v7'];
    case 'armel':
      return ['arm', 'v6'];
    case 'arm':
      if (variant === '' || variant === '7') return ['arm', 'v7'];
      return ['arm', /^[568]$/.test(variant) ? `v${variant}` : variant];
    default:
      return [architecture, variant];
  }
}

function withoutZero(variant: string): string {
  if (variant === '9') return 'v9';
  return /^v\d+\.0$/.test(variant) ? variant.slice(0, -2) : variant;
}

/** Every platform whose images run on `platform`, best first (containerd's `platforms.Only`). */
export function compatiblePlatforms(platform: Platform): Platform[] {
  const own = normalizePlatform(platform);
  const { os } = own;
  const older = (architecture: string, from: number, to: number): Platform[] =>
    Array.from({ length: Math.max(0, from - to) }, (_, index) =>
      normalizePlatform({ os, architecture, variant: `v${from - 1 - index}` }),
    );
  const number = Number.parseInt((own.variant ?? '').replace(/^v/, ''), 10);
  switch (own.architecture) {
    case 'amd64':
      return [own, ...(number > 1 ? older('amd64', number, 1) : []), { os, architecture: '386' }];
    case 'arm':
      return [own, ...(number > 5 ? older('arm', number, 5) : [])];
    case 'arm64':
      return [
        own,
        ...(own.variant === undefined ? [] : older64(own)),
        { os, architecture: 'arm', variant: 'v8' },
        ...older('arm', 8, 5),
      ];
    default:
      return [own];
  }
}

/** arm64/v9.2 runs v9.1, v9 and, each v9.n having v8.(n+5), v8.7 down to v8. */
function older64(own: Platform): Platform[] {
  const match = /^v([89])(?:\.(\d))?$/.exec(own.variant ?? '');
  if (match === null) return [];
  const minor = Number(match[2] ?? 0);
  const down = (major: number, from: number): Platform[] =>
    Array.from({ length: from + 1 }, (_, index) =>
      normalizePlatform({ ...own, variant: `v${major}.${from - index}` }),
    );
  if (match[1] === '8') return down(8, minor - 1);
  return [...down(9, minor - 1), ...down(8, Math.min(minor + 5, 9))];
}

export function matchesPlatform(wanted: Platform, actual: Platform): boolean {
  return platformRank(wanted, actual) >= 0;
}

function platformRank(wanted: Platform, actual: Platform): number {
  const offered = formatPlatform(normalizePlatform(actual));
  return compatiblePlatforms(wanted).findIndex((platform) => formatPlatform(platform) === offered);
}

/** BuildKit's provenance and SBOM manifests, which no platform may match. */
export function isAttestation(descriptor: Descriptor): boolean {
  return (
    descriptor.platform?.architecture === 'unknown' ||
    descriptor.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest'
  );
}

/** Whether BuildKit made it to speak of `manifest`. */
export function isAttestationOf({ annotations }: Descriptor, manifest: Digest | undefined): boolean {
  return (
    annotations?.['vnd.docker.reference.type'] === 'attestation-manifest' &&
    annotations['vnd.docker.reference.digest'] === manifest
  );
}

/**
 * The manifest of `index` that runs best on `platform`; the first of equals. Entries that name no platform come last.
 *
 * @throws EngineError "not-found" code no-matching-platform, in Docker's words.
 */
export function selectManifest(index: Index, platform: Platform): Descriptor {
  let best: { descriptor: Descriptor; rank: number } | undefined;
  for (const descriptor of index.manifests) {
    if (isAttestation(descriptor)) continue;
    const rank =
      descriptor.platform === undefined
        ? Number.MAX_SAFE_INTEGER
        : platformRank(platform, descriptor.platform);
    if (rank >= 0 && (best === undefined || rank < best.rank)) best = { descriptor, rank };
  }
  if (best !== undefined) return best.descriptor;
  throw new EngineError(
    'not-found',
    `no matching manifest for ${formatPlatform(platform)} in the manifest list entries`,
    { code: 'no-matching-platform' },
  );
}

/** @throws EngineError "invalid" naming `field`. */
export function decodePlatform(value: unknown, field: string): Platform {
  const object = objectField(value, field);
  const variant = optionalString(object['variant'], `${field}.variant`) ?? '';
  const osVersion = optionalString(object['os.version'], `${field}["os.version"]`) ?? '';
  return {
    os: stringField(object['os'] ?? '', `${field}.os`),
    architecture: stringField(object['architecture'] ?? '', `${field}.architecture`),
    ...(variant === '' ? {} : { variant }),
    ...(osVersion === '' ? {} : { osVersion }),
  };
}
