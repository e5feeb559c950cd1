import { EngineError } from '../errors/engine-error.ts';
import { parseIp } from '../sys/ip.ts';
import { parseBool, parseBoolRefusal } from '../text/parse-bool.ts';
import type { NetworkInfo } from './network-driver.ts';

const PREFIX = 'com.docker.network.bridge.';
const MTU = 'com.docker.network.driver.mtu';

/** What `-o` says of a bridge. */
export interface BridgeOptions {
  /** Of the interface; undefined: one made from the network's id. */
  name: string | undefined;
  interContainer: boolean;
  masquerade: boolean;
  /** Where published ports listen that name no address. */
  hostBinding: string | undefined;
  mtu: number | undefined;
}

const GATEWAY_MODES = ['nat', 'nat-unprotected', 'routed', 'isolated'] as const;

/**
 * How a bridge's containers are reached from outside: `nat` by published ports alone, `nat-unprotected` on all ports by who has a route, too;
 * `routed` by who has a route, on published ports alone, with the containers' own addresses both ways; `isolated`, on an internal network: not
 * even by this machine.
 */
export type GatewayMode = (typeof GATEWAY_MODES)[number];
export type GatewayModes = Readonly<Record<4 | 6, GatewayMode>>;

/** Options of others are kept and shown, as Docker does. @throws EngineError "invalid" in Docker's words. */
export function parseBridgeOptions(options: Readonly<Record<string, string>>): BridgeOptions {
  const name = options[`${PREFIX}name`];
  if (name !== undefined && name !== '') checkInterfaceName(name);
  return {
    name: name === '' ? undefined : name,
    interContainer: boolOption(options, `${PREFIX}enable_icc`) ?? true,
    masquerade: boolOption(options, `${PREFIX}enable_ip_masquerade`) ?? true,
    hostBinding: parseAddress(options, `${PREFIX}host_binding_ipv4`),
    mtu: parseMtu(options),
  };
}

/** The kernel's rule (dev_valid_name); a slash or a blank would lead elsewhere in /sys and in our rules. */
export function checkInterfaceName(name: string): void {
  if (name.length > 15) throw new EngineError('invalid', 'numerical result out of range');
  if (!/^[A-Za-z0-9_.-]+$/.test(name) || name === '.' || name === '..')
    throw new EngineError('invalid', `invalid network interface name ${JSON.stringify(name)}`);
}

function boolOption(options: Readonly<Record<string, string>>, key: string): boolean | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  const value = parseBool(text);
  if (value !== undefined) return value;
  throw new EngineError('invalid', `failed to parse ${key} value: ${text} (${parseBoolRefusal(text)})`);
}

/** As the network has them: isolated is an internal one alone. What a record of an earlier release has that there is none of means NAT. */
export function gatewayModesOf(network: Pick<NetworkInfo, 'options' | 'internal'>): GatewayModes {
  const modeOf = (family: 4 | 6): GatewayMode => {
    const mode = readGatewayMode(network.options, family);
    return mode === undefined || (mode === 'isolated' && !network.internal) ? 'nat' : mode;
  };
  return { 4: modeOf(4), 6: modeOf(6) };
}

/** Of a network that is to be. @throws EngineError in Docker's words. */
export function checkGatewayModes({ options, internal }: Pick<NetworkInfo, 'options' | 'internal'>): void {
  for (const family of [4, 6] as const) {
    const key = gatewayModeKey(family);
    const mode = readGatewayMode(options, family);
    if (mode === undefined)
      throw new EngineError(
        'invalid',
        `failed to parse ${key} value: ${options[key]} (unknown gateway mode ${options[key]})`,
      );
    if (mode === 'isolated' && !internal)
      throw new EngineError('internal', "gateway mode 'isolated' can only be used for an internal network");
  }
}

function readGatewayMode(options: Readonly<Record<string, string>>, family: 4 | 6): GatewayMode | undefined {
  const text = options[gatewayModeKey(family)] ?? 'nat';
  return GATEWAY_MODES.find((one) => one === text);
}

function gatewayModeKey(family: 4 | 6): string {
  return `${PREFIX}gateway_mode_ipv${family}`;
}

function parseAddress(options: Readonly<Record<string, string>>, key: string): string | undefined {
  const text = options[key];
  if (text === undefined || parseIp(text) !== undefined) return text;
  throw new EngineError('invalid', `failed to parse ${key} value: ${text} (nil ip)`);
}

export function parseMtu(options: Readonly<Record<string, string>>): number | undefined {
  const text = options[MTU];
  if (text === undefined) return undefined;
  if (!/^[+-]?\d+$/.test(text)) {
    const reason = `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw new EngineError('invalid', `failed to parse ${MTU} value: ${text} (${reason})`);
  }
  const mtu = Number(text);
  if (mtu < 0)
    throw new EngineError('invalid', `failed to parse ${MTU} value: ${text} (MTU must be positive)`);
  if (mtu > 65_535) throw new EngineError('invalid', `invalid ${MTU} value: ${text}: at most 65535`);
  return mtu === 0 ? undefined : mtu;
}
