import { formatPlatform, type Platform } from '../../oci/platform.ts';

/** What every Dockerfile may ask for by ARG: where it is built, and for what. */
export function platformArgs(
  build: Platform,
  target: Platform,
  targetStage: string,
): ReadonlyMap<string, string> {
  return new Map([
    ['BUILDPLATFORM', formatPlatform(build)],
    ['BUILDOS', build.os],
    ['BUILDOSVERSION', build.osVersion ?? ''],
    ['BUILDARCH', build.architecture],
    ['BUILDVARIANT', build.variant ?? ''],
    ['TARGETPLATFORM', formatPlatform(target)],
    ['TARGETOS', target.os],
    ['TARGETOSVERSION', target.osVersion ?? ''],
    ['TARGETARCH', target.architecture],
    ['TARGETVARIANT', target.variant ?? ''],
    ['TARGETSTAGE', targetStage === '' ? 'default' : targetStage],
  ]);
}

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

/** Build arguments that every RUN sees without ARG; they are part of no cache key and no history. */
export function proxyVariables(buildArgs: ReadonlyMap<string, string>): string[] {
  return PROXIES.flatMap((name) => {
    const value = buildArgs.get(name) ?? buildArgs.get(name.toLowerCase());
    return value === undefined ? [] : [`${name}=${value}`, `${name.toLowerCase()}=${value}`];
  });
}
