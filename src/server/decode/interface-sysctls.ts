import type { CreateRequest } from '../../containers/container-backend.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { ENDPOINT_SYSCTLS } from '../../text/endpoint-sysctls.ts';
import { compareApiVersions } from '../../wire/versions.ts';
import { emptyMembership } from './endpoint-settings.ts';

const REFUSED_SINCE = '1.48';

/**
 * Settings of an interface among those of the container: who speaks an older version has those of `eth0` moved to the network of its mode.
 *
 * @returns warnings.
 * @throws EngineError "internal" in Docker's words.
 */
export function moveInterfaceSysctls(
  request: Pick<CreateRequest, 'host' | 'networks'>,
  version: string,
): string[] {
  const { host, networks } = request;
  if (host.networkMode === 'host' || host.networkMode.startsWith('container:')) return [];
  const found = Object.keys(host.sysctls).filter((key) => /^net\.[^.]*\.[^.]*\.eth[^.]*\./.test(key));
  if (found.length === 0) return [];
  if (compareApiVersions(version, REFUSED_SINCE) >= 0)
    throw new EngineError(
      'internal',
      `interface specific sysctl setting ${JSON.stringify(found[0])} must be supplied using driver option '${ENDPOINT_SYSCTLS}'`,
    );
  const other = found.find((key) => key.split('.')[3] !== 'eth0');
  if (other !== undefined)
    throw new EngineError(
      'internal',
      `unable to determine network endpoint for sysctl ${other}, use driver option '${ENDPOINT_SYSCTLS}' to set per-interface sysctls`,
    );
  const moved = found.map((key) => `${key.replace('.eth0.', '.IFNAME.')}=${host.sysctls[key]}`).join(',');
  host.sysctls = Object.fromEntries(Object.entries(host.sysctls).filter(([key]) => !found.includes(key)));
  const mode = host.networkMode === '' ? 'default' : host.networkMode;
  const present = networks.find(({ network }) => network === mode);
  const membership = present ?? emptyMembership(mode);
  const before = membership.driverOptions[ENDPOINT_SYSCTLS];
  membership.driverOptions = {
    ...membership.driverOptions,
    [ENDPOINT_SYSCTLS]: before === undefined ? moved : `${moved},${before}`,
  };
  if (present === undefined) networks.unshift(membership);
  return [
    `Migrated sysctl ${JSON.stringify(found.join(','))} to DriverOpts{"${ENDPOINT_SYSCTLS}":"${moved}"}.`,
  ];
}
