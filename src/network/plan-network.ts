import { randomBytes } from 'node:crypto';
import { EngineError } from '../errors/engine-error.ts';
import { type Cidr, contains, formatCidr, type IpFamily, overlaps, parseCidr, parseIp } from '../sys/ip.ts';
import { checkGatewayModes, parseBridgeOptions, parseMtu } from './bridge-options.ts';
import { checkSubnets } from './check-subnets.ts';
import { checkConfiguration, withConfiguration } from './network-configuration.ts';
import type {
  CreateNetworkRequest,
  NetworkDriverName,
  NetworkInfo,
  NetworkSubnet,
  SubnetRequest,
} from './network-driver.ts';
import { parentOptions } from './parent-options.ts';
import { chooseSubnet, type SubnetPool } from './subnet-pools.ts';

/** What a new network has to keep clear of. */
export interface NetworkSurroundings {
  networks: readonly NetworkInfo[];
  /** On the host: addresses and routes, and its name servers. */
  used: readonly Cidr[];
  pools: readonly SubnetPool[];
  createdNano: bigint;
}

const PREDEFINED = ['bridge', 'host', 'none', 'default', 'container'];

/** What a request says is possible at all, before anything of the host is looked at. @throws EngineError in Docker's words. */
export function checkNetworkRequest(request: CreateNetworkRequest): void {
  const { name, driver } = request;
  if (name.trim() === '') throw new EngineError('invalid', 'invalid name: name is empty');
  if (PREDEFINED.includes(name))
    throw new EngineError('forbidden', `operation is not permitted on predefined ${name} network `);
  if (/\p{Cc}/u.test(name) || name.length > 1024)
    throw new EngineError('invalid', `invalid name: ${JSON.stringify(name)}`);
  if (request.configOnly) return checkConfiguration(request);
  if (request.ingress) throw new EngineError('invalid', 'Ingress network can only be global scope network');
  if (request.scope === 'swarm')
    throw new EngineError('forbidden', 'cannot create a swarm scoped network when swarm is not active');
  checkSubnets(request.subnets);
  const kind = driverOf(driver);
  if (kind === 'bridge' && !request.enableIpv4 && !request.enableIpv6)
    throw new EngineError('invalid', 'IPv4 or IPv6 must be enabled');
  checkAddressing(request);
  checkOptions(kind, request);
}

/** The driver that gives out no addresses (`null`) is for networks without any: bridges have some. */
function checkAddressing({ ipamDriver, subnets, enableIpv4, enableIpv6 }: CreateNetworkRequest): void {
  if (ipamDriver === '' || ipamDriver === 'default') return;
  if (ipamDriver !== 'null')
    throw new EngineError('not-found', `plugin ${JSON.stringify(ipamDriver)} not found`);
  if (subnets.length > 0)
    throw new EngineError('invalid', 'null ipam driver does not handle specific address pool requests');
  if (enableIpv4) throw new EngineError('invalid', 'ipv4 pool is empty');
  if (enableIpv6) throw new EngineError('invalid', 'ipv6 pool is empty');
}

function driverOf(driver: string): NetworkDriverName {
  if (driver === '' || driver === 'bridge') return 'bridge';
  if (driver === 'macvlan' || driver === 'ipvlan') return driver;
  if (driver === 'host' || driver === 'null')
    throw new EngineError('forbidden', `only one instance of "${driver}" network is allowed`);
  if (driver === 'overlay')
    throw new EngineError(
      'unavailable',
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    );
  throw new EngineError('not-found', `plugin ${JSON.stringify(driver)} not found`);
}

function checkOptions(
  driver: NetworkDriverName,
  { options, internal }: Pick<CreateNetworkRequest, 'options' | 'internal'>,
): void {
  if (driver === 'bridge') {
    parseBridgeOptions(options);
    checkGatewayModes({ options, internal });
  } else {
    parseMtu(options);
    parentOptions(driver, '', { options, internal: false });
  }
}

/**
 * The network that a request makes: subnets as asked for, and one of the pools for each family that has none.
 *
 * @throws EngineError "conflict" when its name is taken, "forbidden" when a subnet is; as `checkNetworkRequest`.
 */
export function planNetwork(asked: CreateNetworkRequest, around: NetworkSurroundings): NetworkInfo {
  const request = withConfiguration(asked, around.networks);
  checkNetworkRequest(request);
  const { name } = request;
  if (around.networks.some((network) => network.name === name))
    throw new EngineError('conflict', `network with name ${name} already exists`);
  const ipam = request.configOnly
    ? request.subnets.map((subnet) => askedSubnet(subnet))
    : planSubnets(request, {
        ...around,
        networks: around.networks.filter(({ configOnly }) => !configOnly),
      });
  return {
    id: randomBytes(32).toString('hex'),
    name,
    driver: request.configOnly ? 'null' : driverOf(request.driver),
    scope: 'local',
    createdNano: around.createdNano,
    internal: request.internal,
    attachable: request.attachable,
    enableIpv4: request.enableIpv4,
    enableIpv6: request.enableIpv6,
    configOnly: request.configOnly,
    configFrom: request.configFrom,
    ipamDriver: request.ipamDriver === '' ? 'default' : request.ipamDriver,
    ipamOptions: request.ipamOptions,
    ipam,
    options: request.options,
    labels: request.labels,
  };
}

function planSubnets(request: CreateNetworkRequest, around: NetworkSurroundings): NetworkSubnet[] {
  const asked = request.subnets.map((subnet) => askedSubnet(subnet));
  for (const [at, { subnet }] of asked.entries())
    checkOverlap(request.name, parseCidr(subnet), around, asked.slice(0, at));
  const chosen = ([4, 6] as const)
    .filter((family) => (family === 4 ? request.enableIpv4 : request.enableIpv6))
    .filter((family) => !asked.some(({ subnet }) => parseCidr(subnet).family === family))
    .map((family) => chosenSubnet(family, around, asked));
  return [...asked, ...chosen];
}

function askedSubnet({ subnet, ipRange, gateway, auxAddresses }: SubnetRequest): NetworkSubnet {
  return {
    subnet: formatCidr(parseCidr(subnet)),
    ipRange,
    gateway,
    gatewayShown: gateway !== '',
    subnetChosen: false,
    auxAddresses,
  };
}

function chosenSubnet(
  family: IpFamily,
  around: NetworkSurroundings,
  asked: readonly NetworkSubnet[],
): NetworkSubnet {
  const others = [...around.networks.flatMap(({ ipam }) => ipam), ...asked];
  const used = [...around.used, ...others.map(({ subnet }) => parseCidr(subnet))];
  const subnet = chooseSubnet(around.pools, family, used);
  return {
    subnet: formatCidr(subnet),
    ipRange: '',
    gateway: '',
    gatewayShown: true,
    subnetChosen: true,
    auxAddresses: {},
  };
}

/** @throws EngineError "forbidden" in Docker's words, with both names. */
function checkOverlap(
  name: string,
  subnet: Cidr,
  around: NetworkSurroundings,
  before: readonly NetworkSubnet[],
): void {
  const refuse = (other: string, of: string): never => {
    throw new EngineError(
      'forbidden',
      `invalid pool request: Pool overlaps with other one on this address space: ${formatCidr(subnet)} of network ${name} and ${other} of network ${of}`,
    );
  };
  for (const other of before) if (overlaps(parseCidr(other.subnet), subnet)) refuse(other.subnet, name);
  for (const network of around.networks)
    for (const other of network.ipam)
      if (overlaps(parseCidr(other.subnet), subnet)) refuse(other.subnet, network.name);
}

/** Docker's rules for addresses that a container asks for. @returns what is wrong, in Docker's words. */
export function addressFaults(
  network: NetworkInfo,
  asked: { ipv4: string | undefined; ipv6: string | undefined },
): string[] {
  const faults: string[] = [];
  for (const text of [asked.ipv4, asked.ipv6]) {
    if (text === undefined) continue;
    const address = parseIp(text);
    const own = network.ipam.filter(({ subnet }) => parseCidr(subnet).family === address?.family);
    if (address === undefined || !own.some(({ subnet }) => contains(parseCidr(subnet), address)))
      faults.push(`no configured subnet or ip-range contain the IP address ${text}`);
  }
  return faults;
}
