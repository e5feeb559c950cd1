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
  /** By family: 4 and 6 of those whose containers others reach on all their ports, published or not. */
  unprotected: (4 | 6)[];
}

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
    unprotected: ([4, 6] as const).filter((family) => options[gatewayModeKey(family)] === 'nat-unprotected'),
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

/**
 * Gateway modes, for a network that is to be: one of an earlier release may have what this refuses, and has NAT.
 *
 * @throws EngineError "invalid" in Docker's words, "not-implemented" for those without NAT.
 */
export function checkGatewayModes({ options, internal }: Pick<NetworkInfo, 'options' | 'internal'>): void {
  for (const key of [4, 6].map(gatewayModeKey)) {
    const mode = options[key] ?? 'nat';
    if (mode === 'nat' || mode === 'nat-unprotected') continue;
    if (mode !== 'routed' && mode !== 'isolated')
      throw new EngineError(
        'invalid',
        `failed to parse ${key} value: ${mode} (unknown gateway mode ${mode})`,
      );
    if (mode === 'isolated' && !internal)
      throw new EngineError('invalid', "gateway mode 'isolated' can only be used for an internal network");
    throw new EngineError('not-implemented', `gateway mode '${mode}' is not implemented yet (${key})`, {
      hint:
        mode === 'isolated'
          ? 'An --internal network keeps its containers from everything but each other and this machine.'
          : "With 'nat-unprotected' containers are reached on all their ports by hosts that have a route to them.",
    });
  }
}

function gatewayModeKey(family: number): string {
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
