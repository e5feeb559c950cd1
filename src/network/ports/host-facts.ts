import { readFileSync } from 'node:fs';

const RANGE = '/proc/sys/net/ipv4/ip_local_port_range';
const LOOPBACK = '00000000000000000000000000000001 ';
const DEFAULT_DESCRIPTORS = 1024;
const DEFAULT_RANGE = { from: 32_768, to: 60_999 };

/** The ports from which the kernel, too, gives those that nobody names. */
export function ephemeralPorts(): { from: number; to: number } {
  const [from, to] = readProc(RANGE).trim().split(/\s+/).map(Number);
  return from !== undefined && to !== undefined && from > 0 && to >= from ? { from, to } : DEFAULT_RANGE;
}

/** Whether anything can listen on IPv6 here: the loopback address is there unless it is switched off. */
export function hasIpv6(): boolean {
  return readProc('/proc/net/if_inet6').includes(LOOPBACK);
}

/** How many files this process may have open. */
export function descriptorLimit(): number {
  const soft = /^Max open files\s+(\d+)/m.exec(readProc('/proc/self/limits'))?.[1];
  return soft === undefined ? DEFAULT_DESCRIPTORS : Number(soft);
}

function readProc(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
