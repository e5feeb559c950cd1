import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { type HostEntry, type HostsFile, parseHostsFile } from '../sources/hosts-file.ts';

/** What `fetch` takes as `tls` for one host. */
export interface HostTls {
  ca?: string[];
  cert?: string;
  key?: string;
}

/** What lies in one host's folder. */
export interface HostFolder {
  path: string;
  /** Of `*.crt`, `*.cert` and `*.key`: Docker's layout. */
  tls: HostTls;
  hostsFile: HostsFile | undefined;
}

interface Kept {
  folder: Promise<HostFolder | undefined>;
  freshUntilMs: number;
  /** Its content: a folder that hasn't changed stays the same object, on which kept connections hang. */
  text?: string;
}

const HOSTS_FILE = 'hosts.toml';
const DEFAULT_FOLDER = '_default';
const MAX_FILE_BYTES = 4 << 20;
const MAX_KEPT = 1000;

/**
 * Reads `<directory>/<host[:port]>/`, from the first of the directories that has one. What was read is looked at again after a second, so that a change
 * needs no restart.
 */
export class CertsDirectories {
  readonly #directories: readonly string[];
  readonly #freshMs: number;
  readonly #kept = new Map<string, Kept>();

  constructor(directories: readonly string[], freshMs: number) {
    this.#directories = directories;
    this.#freshMs = freshMs;
  }

  /** TLS material for a host. @throws EngineError "invalid" where a certificate has no key, or a file cannot be read. */
  async tls(authority: string): Promise<HostTls> {
    return (await this.#folder(authority))?.tls ?? {};
  }

  /** What hosts.toml says of a registry: its own, else that of `_default`. @throws EngineError "invalid", naming file and key. */
  async hosts(domain: string): Promise<HostsFile | undefined> {
    const own = await this.#folder(domain);
    return own === undefined ? (await this.#folder(DEFAULT_FOLDER))?.hostsFile : own.hostsFile;
  }

  /** The registries that have a hosts.toml, with it, or with what is wrong with it. */
  async list(): Promise<{ domain: string; file: HostsFile | EngineError }[]> {
    const names = await Promise.all(this.#directories.map((directory) => namesIn(directory)));
    const domains = [...new Set(names.flat().map(domainOf))].filter(isHostName);
    const read = domains.map(async (domain) => {
      try {
        const file = (await this.#folder(domain))?.hostsFile;
        return file === undefined ? [] : [{ domain, file }];
      } catch (error) {
        return error instanceof EngineError ? [{ domain, file: error }] : Promise.reject(error);
      }
    });
    return (await Promise.all(read)).flat();
  }

  #folder(host: string): Promise<HostFolder | undefined> {
    if (host !== DEFAULT_FOLDER && !isHostName(host)) return Promise.resolve(undefined);
    const kept = this.#kept.get(host);
    if (kept !== undefined && performance.now() < kept.freshUntilMs) return kept.folder;
    const next: Kept = { freshUntilMs: performance.now() + this.#freshMs, folder: this.#read(host) };
    next.folder = next.folder.then(
      async (folder) => {
        next.text = JSON.stringify(folder, (_key, value: unknown) =>
          value instanceof Set ? [...value] : value,
        );
        return kept !== undefined && kept.text === next.text ? await kept.folder : folder;
      },
      (error: unknown) => {
        this.#kept.delete(host);
        throw error;
      },
    );
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(host, next);
    return next.folder;
  }

  async #read(host: string): Promise<HostFolder | undefined> {
    for (const directory of this.#directories)
      for (const name of folderNames(host)) {
        const path = join(directory, name);
        const files = await filesIn(path);
        if (files !== undefined) return readFolder(path, files);
      }
    return undefined;
  }
}

/** As containerd: `reg.lan_5000_`, then Docker's `reg.lan:5000`. */
function folderNames(host: string): string[] {
  const escaped = host.replace(/:(\d+)$/, '_$1_');
  return escaped === host ? [host] : [escaped, host];
}

function domainOf(folderName: string): string {
  return folderName.replace(/_(\d+)_$/, ':$1');
}

/** A host, with or without port, that can be no path: redirects name hosts too. */
function isHostName(text: string): boolean {
  return /^[a-z0-9[][a-z0-9._:[\]-]*$/i.test(text);
}

async function readFolder(path: string, files: readonly string[]): Promise<HostFolder> {
  const pairs = keyPairs(path, files);
  const authorities = files.filter((name) => name.endsWith('.crt')).map((name) => join(path, name));
  const text = files.includes(HOSTS_FILE) ? await readText(join(path, HOSTS_FILE)) : '';
  return {
    path,
    tls: await loadTls(authorities, pairs),
    hostsFile: text.trim() === '' ? undefined : parseHostsFile(text, join(path, HOSTS_FILE)),
  };
}

function keyPairs(path: string, files: readonly string[]): [string, string][] {
  const partner = (name: string, from: string, to: string) => name.slice(0, -from.length) + to;
  for (const key of files.filter((name) => name.endsWith('.key'))) {
    const cert = partner(key, '.key', '.cert');
    if (!files.includes(cert))
      throw new EngineError('invalid', `missing client certificate ${cert} for key ${key}`, {
        hint: `Both belong into ${path}.`,
      });
  }
  return files
    .filter((name) => name.endsWith('.cert'))
    .map((cert) => {
      const key = partner(cert, '.cert', '.key');
      if (!files.includes(key))
        throw new EngineError(
          'invalid',
          `missing key ${key} for client certificate ${cert}. CA certificates must use the extension .crt`,
          { hint: `Both belong into ${path}.` },
        );
      return [join(path, cert), join(path, key)];
    });
}

/** The material that a hosts.toml's entry names itself; undefined where it names none. */
export async function entryTls({ ca, clients }: HostEntry): Promise<HostTls | undefined> {
  return ca.length === 0 && clients.length === 0 ? undefined : loadTls(ca, clients);
}

/** One client certificate is presented; of several the first. */
async function loadTls(
  authorities: readonly string[],
  [client]: readonly (readonly [string, string])[],
): Promise<HostTls> {
  const ca = await Promise.all(authorities.map(readText));
  return {
    ...(ca.length === 0 ? {} : { ca: [...(await publicAuthorities()), ...ca] }),
    ...(client === undefined ? {} : { cert: await readText(client[0]), key: await readText(client[1]) }),
  };
}

/** `ca` replaces what is trusted otherwise: the host's store, as with Docker, or Bun's own list where the host has none. Loaded when first needed. */
async function publicAuthorities(): Promise<readonly string[]> {
  const tls = await import('node:tls');
  const system = tls.getCACertificates('system');
  return system.length > 0 ? system : tls.rootCertificates;
}

async function readText(path: string): Promise<string> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > MAX_FILE_BYTES) throw cannotRead(path, `it is larger than ${MAX_FILE_BYTES} bytes`);
    return bytes.toString('utf8');
  } catch (error) {
    throw error instanceof EngineError
      ? error
      : cannotRead(path, errnoCodeOf(error) ?? 'unknown error', error);
  }
}

/** undefined: there is no such folder. */
async function filesIn(path: string): Promise<string[] | undefined> {
  try {
    return (await readdir(path)).toSorted();
  } catch (error) {
    const code = errnoCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw cannotRead(path, code ?? 'unknown error', error);
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return (await filesIn(directory).catch(() => undefined)) ?? [];
}

function cannotRead(path: string, reason: string, cause?: unknown): EngineError {
  return new EngineError('invalid', `Cannot read ${path}: ${reason}`, { cause });
}
