import { formatPlatform, type Platform } from '../../oci/platform.ts';
import type { ArgDeclaration, ArgInstruction } from '../instructions/instruction.ts';
import { atRange } from '../parser/dockerfile-error.ts';
import type { EscapeToken } from '../parser/parsed-dockerfile.ts';
import type { SourceRange } from '../parser/source-range.ts';
import { expandWord, type Variables } from './expand-word.ts';

/** `--build-arg` by name. */
export type BuildArgs = ReadonlyMap<string, string>;

/**
 * Build arguments that need no ARG: each RUN has them in its environment, and neither the image's history nor its config nor the
 * cache's key knows of them.
 */
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];
export const PROXY_ARGS: ReadonlySet<string> = new Set(PROXIES.flatMap((name) => [name, name.toLowerCase()]));

/** `NAME=value` of a RUN, in both spellings, since programs read the one or the other. */
export function proxyVariables(buildArgs: BuildArgs): string[] {
  return PROXIES.flatMap((name) => {
    const upper = buildArgs.get(name);
    const lower = buildArgs.get(name.toLowerCase());
    if (upper === undefined && lower === undefined) return [];
    return [`${name}=${upper ?? lower}`, `${name.toLowerCase()}=${lower ?? upper}`];
  });
}

/** ARGs that steer attestations: a stage may declare them, but they are no variables. */
export const SETTING_ARGS: ReadonlySet<string> = new Set([
  'BUILDKIT_SBOM_SCAN_CONTEXT',
  'BUILDKIT_SBOM_SCAN_STAGE',
]);

export interface PlatformArgsOptions {
  readonly buildPlatform: Platform;
  readonly targetPlatform: Platform;
  /** The name of the stage that is built; `default` for one without a name. */
  readonly targetStage: string;
  readonly buildArgs: BuildArgs;
}

/** The variables that FROM lines know without any ARG, and stages after `ARG TARGETPLATFORM` and the like. */
export function platformArgs(options: PlatformArgsOptions): Map<string, string> {
  const { buildPlatform: build, targetPlatform: target, targetStage, buildArgs } = options;
  const defaults: [string, string][] = [
    ['BUILDPLATFORM', formatPlatform(build)],
    ['BUILDOS', build.os],
    ['BUILDOSVERSION', build.osVersion ?? ''],
    ['BUILDARCH', build.architecture],
    ['BUILDVARIANT', build.variant ?? ''],
    ['TARGETPLATFORM', formatWithVersion(target)],
    ['TARGETOS', target.os],
    ['TARGETOSVERSION', target.osVersion ?? ''],
    ['TARGETARCH', target.architecture],
    ['TARGETVARIANT', target.variant ?? ''],
    ['TARGETSTAGE', targetStage === '' ? 'default' : targetStage],
  ];
  return new Map(defaults.map(([name, value]) => [name, buildArgs.get(name) ?? value]));
}

/** `windows(10.0.17763)/amd64`. */
function formatWithVersion(platform: Platform): string {
  const { os, osVersion } = platform;
  return formatPlatform(
    osVersion === undefined || osVersion === '' ? platform : { ...platform, os: `${os}(${osVersion})` },
  );
}

export interface GlobalArgs {
  /** For FROM lines, and what `ARG name` without a value takes over in a stage. */
  readonly variables: ReadonlyMap<string, string>;
  /** Every name that an ARG above the first FROM declares, with or without a value. */
  readonly declared: ReadonlySet<string>;
}

export interface GlobalArgsOptions {
  /** `platformArgs`. */
  readonly predefined: ReadonlyMap<string, string>;
  /** An empty map tells what the defaults alone would make. */
  readonly buildArgs: BuildArgs;
  readonly escapeToken: EscapeToken;
}

/** The scope above the first FROM: each ARG sees those before it. @throws DockerfileError with the ARG's lines. */
export function globalArgs(metaArgs: readonly ArgInstruction[], options: GlobalArgsOptions): GlobalArgs {
  const { predefined, buildArgs, escapeToken } = options;
  const variables = new Map(predefined);
  const declared = new Set<string>();
  for (const instruction of metaArgs) {
    for (const { key, value } of instruction.args) {
      const given =
        buildArgs.get(key) ?? expandDefault(value, variables, { escapeToken, range: instruction.range });
      if (given !== undefined) variables.set(key, given);
      declared.add(key);
    }
  }
  return { variables, declared };
}

export interface ArgScope {
  readonly globals: ReadonlyMap<string, string>;
  readonly buildArgs: BuildArgs;
  /** The stage's variables as they stand before the ARG: ENVs and earlier ARGs. */
  readonly variables: Variables;
  readonly escapeToken: EscapeToken;
  readonly range: SourceRange;
  readonly onUnmatched?: (names: ReadonlySet<string>) => void;
}

/**
 * The value of an ARG in a stage: `--build-arg`, its own default, or that of the same name above the first FROM; undefined for
 * none, which leaves a variable of that name (an ENV of the base image, say) as it was.
 *
 * @throws DockerfileError with the ARG's lines.
 */
export function declareArg(arg: ArgDeclaration, scope: ArgScope): string | undefined {
  return (
    scope.buildArgs.get(arg.key) ??
    expandDefault(arg.value, scope.variables, scope) ??
    scope.globals.get(arg.key)
  );
}

function expandDefault(
  value: string | undefined,
  variables: Variables,
  { escapeToken, range, onUnmatched }: Pick<ArgScope, 'escapeToken' | 'range' | 'onUnmatched'>,
): string | undefined {
  if (value === undefined) return undefined;
  const unmatched = new Set<string>();
  const onLookUp = (name: string, isSet: boolean): unknown => !isSet && unmatched.add(name);
  try {
    return expandWord(value, variables, { escapeToken, onLookUp }).result;
  } catch (error) {
    throw atRange(error, range);
  } finally {
    onUnmatched?.(unmatched);
  }
}
