import { isIPv6 } from 'node:net';

/**
 * Who an address counts as: itself, or its /64 network where it is an IPv6 address, since whoever has one of those has them all. An IPv4 address in IPv6's
 * clothes (`::ffff:192.0.2.1`) is the IPv4 address.
 */
export function clientKey(address: string): string {
  const bare = address.replace(/%.*$/, '');
  if (!isIPv6(bare)) return address;
  const groups = groupsOf(bare);
  const [a = 0, b = 0] = groups.slice(6);
  if (groups.slice(0, 6).join(' ') === '0 0 0 0 0 65535') return [a >> 8, a & 255, b >> 8, b & 255].join('.');
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`;
}

/** The eight numbers of a valid address. */
function groupsOf(address: string): number[] {
  const [head = [], tail] = address.split('::').map(halfOf);
  if (tail === undefined) return head;
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => 0);
  return [...head, ...zeros, ...tail];
}

function halfOf(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return [Number.parseInt(group, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
    return [(a << 8) | b, (c << 8) | d];
  });
}
