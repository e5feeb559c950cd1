import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../errors/engine-error.ts';

/** What `fetch` takes as `tls` for one host. */
export interface HostTls {
  ca?: string[];
  cert?: string;
  key?: string;
  rejectUnauthorized?: boolean;
}

/** Reads `<certsDirectory>/<host[:port]>/{ca.crt,client.cert,client.key}` once per host and keeps it. */
export class HostTlsStore {
  readonly #directory: string;
  readonly #known = new Map<string, Promise<HostTls>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @throws EngineError "invalid" where a client certificate has no key, or a file cannot be read. */
  of(authority: string): Promise<HostTls> {
    const known = this.#known.get(authority);
    if (known) return known;
    const loading = load(join(this.#directory, authority));
    this.#known.set(authority, loading);
    loading.catch(() => this.#known.delete(authority));
    return loading;
  }
}

async function load(directory: string): Promise<HostTls> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'client.cert', 'client.key'].map((name) => readOptional(join(directory, name))),
  );
  if ((cert === undefined) !== (key === undefined))
    throw new EngineError(
      'invalid',
      `missing ${cert === undefined ? 'client certificate client.cert for key client.key' : 'key client.key for client certificate client.cert'}`,
      { hint: `Both belong into ${directory}.` },
    );
  return {
    ...(ca === undefined ? {} : { ca: [...(await publicAuthorities()), ca] }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}

/** `ca` replaces the built-in list. Loaded when first needed: the module costs milliseconds at start. */
async function publicAuthorities(): Promise<readonly string[]> {
  return (await import('node:tls')).rootCertificates;
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = errnoCodeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new EngineError('invalid', `Cannot read ${path}: ${code ?? 'unknown error'}`, { cause: error });
  }
}
