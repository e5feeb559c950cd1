import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../support/engine/command.ts';

/** How this host reaches Debian's and npm's packages. Read at each run and passed on to the machines; part of no file of the checkout. */
export interface HostSettings {
  /** Debian's archive and its security archive. */
  archive: string;
  security: string;
  /** Lines of an apt.conf. */
  apt: string[];
  /** Lines of a `.npmrc`. */
  npm: string[];
  /** `http_proxy` and its kin. */
  environment: string[];
  /** Certificates, in PEM, that this host trusts beside Debian's. */
  certificates: string[];
}

/** The host, as a machine behind qemu's user network sees it. */
const HOST_SEEN_BY_GUEST = '10.0.2.2';
const LOCAL_CERTIFICATES = '/usr/local/share/ca-certificates';
const APT_OPTION = /^Acquire::(?:(?:http|https)::Proxy\S*|Check-Valid-Until|Check-Date|Retries) ".*";$/;
const NPM_OPTION = /^(?:registry|proxy|https-proxy|noproxy|strict-ssl|@[^:]+:registry|\/\/.*)\s*=/;
/** Emulated processors take minutes for what npm gives a connection five. */
const PATIENT_NPM = ['fetch-timeout=3600000', 'fetch-retries=5'];
const PROXY = /^(?:https?|no|all|ftp)_proxy$/i;

export async function readHostSettings(): Promise<HostSettings> {
  const sources = readSources();
  return {
    archive: archiveOf(sources, 'debian') ?? 'http://deb.debian.org/debian',
    security: archiveOf(sources, 'debian-security') ?? 'http://deb.debian.org/debian-security',
    apt: (await linesOf(['apt-config', 'dump'])).filter((line) => APT_OPTION.test(line)).map(seenByGuest),
    npm: await readNpm(),
    environment: Object.entries(process.env)
      .filter(([name]) => PROXY.test(name))
      .map(([name, value]) => seenByGuest(`${name}=${value}`)),
    certificates: readCertificates(),
  };
}

/** A proxy or mirror on the host's loopback is the gateway's in a machine. */
export function seenByGuest(text: string): string {
  return text.replace(
    /(:\/\/(?:[^/@\s]*@)?)(?:localhost|127(?:\.\d+){3}|\[::1\])(?=[:/"\s]|$)/g,
    `$1${HOST_SEEN_BY_GUEST}`,
  );
}

/** The first source whose path ends so: `http://mirror/debian` for `debian`. Both of apt's formats. */
export function archiveOf(sources: string, path: string): string | undefined {
  const pattern = new RegExp(
    `^(?:deb\\s+(?:\\[[^\\]]*\\]\\s+)?|URIs:\\s*)(https?://\\S*/${path})/?(?=\\s|$)`,
    'm',
  );
  const found = pattern.exec(sources)?.[1];
  return found === undefined ? undefined : seenByGuest(found);
}

function readSources(): string {
  const folder = '/etc/apt/sources.list.d';
  const more = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return ['/etc/apt/sources.list', ...more]
    .filter((path) => existsSync(path))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
}

/** What npm's own files say of ways and logins; the certificates are the system's. */
async function readNpm(): Promise<string[]> {
  const files = await Promise.all(
    ['globalconfig', 'userconfig'].map(
      async (name) => (await linesOf(['npm', 'config', 'get', name]))[0] ?? '',
    ),
  );
  const lines = files
    .filter((path) => existsSync(path))
    .flatMap((path) => readFileSync(path, 'utf8').split('\n'))
    .filter((line) => NPM_OPTION.test(line));
  return [...lines.map(seenByGuest), 'cafile=/etc/ssl/certs/ca-certificates.crt', ...PATIENT_NPM];
}

function readCertificates(): string[] {
  if (!existsSync(LOCAL_CERTIFICATES)) return [];
  return readdirSync(LOCAL_CERTIFICATES, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.crt'))
    .map((name) => readFileSync(join(LOCAL_CERTIFICATES, name), 'utf8'));
}

async function linesOf(command: readonly string[]): Promise<string[]> {
  const { stdout, code } = await run(command, { env: { ...process.env } as Record<string, string> });
  return code === 0 ? stdout.trim().split('\n') : [];
}
