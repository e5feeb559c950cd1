import { EngineError } from '../errors/engine-error.ts';
import type { SubLinkKind } from '../sys/links.ts';
import { checkInterfaceName } from './bridge-options.ts';
import type { ParentRequest } from './host-network.ts';
import type { NetworkInfo } from './network-driver.ts';

const MACVLAN_MODES = ['bridge', 'private', 'vepa', 'passthru'] as const;
const IPVLAN_MODES = ['l2', 'l3', 'l3s'] as const;
const IPVLAN_FLAGS = ['bridge', 'private', 'vepa'] as const;

export interface ParentOptions {
  type: SubLinkKind;
  /** What the network's interfaces stand on, and how it comes to be when it is not there. */
  parent: string;
  make: ParentRequest['make'];
}

/**
 * What `-o` says of a macvlan or ipvlan network. Without a parent, or internal, it stands on a dummy interface of its own.
 *
 * @throws EngineError "invalid" in Docker's words.
 */
export function parentOptions(
  driver: 'macvlan' | 'ipvlan' | NetworkInfo['driver'],
  id: string,
  { options, internal }: Pick<NetworkInfo, 'options' | 'internal'>,
): ParentOptions {
  const type = driver === 'ipvlan' ? ipvlanType(options) : macvlanType(options);
  const parent = options['parent'] ?? '';
  if (parent === '' || internal) return { type, parent: `dm-${id.slice(0, 12)}`, make: 'dummy' };
  checkInterfaceName(parent);
  if (parent === 'lo')
    throw new EngineError('invalid', `loopback interface is not a valid ${driver} parent link`);
  const [, lower = '', tag = ''] = /^(.+)\.(\d+)$/.exec(parent) ?? [];
  const vlan = Number(tag);
  const isVlan = lower !== '' && vlan >= 1 && vlan <= 4094;
  return { type, parent, make: isVlan ? { vlan: { parent: lower, id: vlan } } : undefined };
}

/** One network has all of a parent that is passed through. @throws EngineError "conflict" in Docker's words. */
export function checkPassthru(planned: NetworkInfo, networks: readonly NetworkInfo[]): void {
  if (planned.driver !== 'macvlan') return;
  const { parent } = parentOptions('macvlan', planned.id, planned);
  const isPassed = ({ options }: NetworkInfo): boolean => options['macvlan_mode'] === 'passthru';
  for (const other of networks) {
    if (other.driver !== 'macvlan' || parentOptions('macvlan', other.id, other).parent !== parent) continue;
    const using = `macvlan network ${other.id} is already using parent interface ${parent}`;
    if (isPassed(planned)) throw new EngineError('conflict', `cannot use mode passthru, ${using}`);
    if (isPassed(other)) throw new EngineError('conflict', `${using} in mode passthru`);
  }
}

function macvlanType(options: Record<string, string>): SubLinkKind {
  const mode = one(options['macvlan_mode'], MACVLAN_MODES, 'macvlan mode');
  return { kind: 'macvlan', mode };
}

function ipvlanType(options: Record<string, string>): SubLinkKind {
  const mode = one(options['ipvlan_mode'], IPVLAN_MODES, 'ipvlan mode');
  return { kind: 'ipvlan', mode, flag: one(options['ipvlan_flag'], IPVLAN_FLAGS, 'ipvlan flag') };
}

/** The first is the default. */
function one<T extends string>(text: string | undefined, known: readonly [T, ...T[]], what: string): T {
  if (text === undefined || text === '') return known[0];
  const found = known.find((value) => value === text);
  if (found !== undefined) return found;
  throw new EngineError(
    'invalid',
    `requested ${what} '${text}' is not valid, '${known[0]}' mode is the ${what.split(' ')[0]} driver default`,
  );
}
