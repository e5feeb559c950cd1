import { parseGpus } from './gpus.ts';
import { parseNetwork } from './networks.ts';
import { parseUlimit } from './ulimits.ts';

/** Refusals of single flag values, in Docker's words; undefined when there is nothing to refuse. */
export function checkAddHost(value: string): string | undefined {
  const at = splitHost(value);
  if (at === undefined || at.host === '') return `bad format for add-host: ${JSON.stringify(value)}`;
  if (at.address === 'host-gateway') return undefined;
  const bare = at.address.replace(/^\[(.*)\]$/, '$1');
  return isIp(bare) ? undefined : `invalid IP address in add-host: ${JSON.stringify(at.address)}`;
}

/** `host=ip` or `host:ip`; the address may have colons. */
export function splitHost(value: string): { host: string; address: string } | undefined {
  const at = value.includes('=') ? value.indexOf('=') : value.indexOf(':');
  return at < 0 ? undefined : { host: value.slice(0, at), address: value.slice(at + 1) };
}

export function isIp(text: string): boolean {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (v4 !== null) return v4.slice(1).every((part) => Number(part) <= 255);
  return text.includes(':') && URL.canParse(`http://[${text.replace(/%.*$/, '')}]/`);
}

export function checkDns(value: string): string | undefined {
  const address = value.trim();
  return isIp(address) && !address.includes('%')
    ? undefined
    : `IP address is not correctly formatted: ${value}`;
}

const DOMAIN = /^(?:[a-z\d]|[a-z\d][a-z\d-]*[a-z\d])(?:\.(?:[a-z\d]|[a-z\d][a-z\d-]*[a-z\d]))*\.?$/i;

/** `.` alone asks for no search domains. */
export function checkDnsSearch(value: string): string | undefined {
  const domain = value.trim();
  const valid = domain === '.' || (domain.length < 255 && DOMAIN.test(domain));
  return valid ? undefined : `${value} is not a valid domain`;
}

export function checkEnv(value: string): string | undefined {
  return value === '' || value.startsWith('=') ? `invalid environment variable: ${value}` : undefined;
}

export function checkLink(value: string): string | undefined {
  if (value === '') return 'empty string specified for links';
  return value.split(':').length > 2 ? `bad format for links: ${value}` : undefined;
}

export function checkSysctl(value: string): string | undefined {
  const name = value.split('=', 1)[0] ?? '';
  const known = new Set([
    'kernel.msgmax',
    'kernel.msgmnb',
    'kernel.msgmni',
    'kernel.sem',
    'kernel.shmall',
    'kernel.shmmax',
    'kernel.shmmni',
    'kernel.shm_rmid_forced',
  ]);
  if (!value.includes('=')) return `sysctl '${value}' is not allowed`;
  if (known.has(name) || name.startsWith('net.') || name.startsWith('fs.mqueue.')) return undefined;
  return `sysctl '${value}' is not allowed`;
}

export function checkUlimit(value: string): string | undefined {
  const ulimit = parseUlimit(value);
  return typeof ulimit === 'string' ? ulimit : undefined;
}

export function checkGpus(value: string): string | undefined {
  const gpus = parseGpus(value);
  return typeof gpus === 'string' ? gpus : undefined;
}

export function checkNetwork(value: string): string | undefined {
  const network = parseNetwork(value);
  return typeof network === 'string' ? network : undefined;
}
