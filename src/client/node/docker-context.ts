import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import type { TlsOptions } from './node-transport.ts';

/** A context's `meta.json`, as Docker's client writes it. */
export interface ContextMetadata {
  Name: string;
  Metadata: Record<string, unknown>;
  Endpoints: Record<string, { Host?: string; SkipTLSVerify?: boolean }>;
}

export interface ContextPlaces {
  /** The folder of `meta.json`. */
  metadata: string;
  /** Of `<endpoint>/{ca,cert,key}.pem`. */
  tls: string;
}

/** Where a context lies below a folder of client configuration (`~/.docker`). */
export function contextPlaces(configFolder: string, name: string): ContextPlaces {
  const id = createHash('sha256').update(name).digest('hex');
  const at = (kind: string) => join(configFolder, 'contexts', kind, id);
  return { metadata: at('meta'), tls: at('tls') };
}

/** @throws EngineError "not-found" in Docker's words, "invalid" when it can't be understood. */
export async function readContextMetadata(configFolder: string, name: string): Promise<ContextMetadata> {
  const path = join(contextPlaces(configFolder, name).metadata, 'meta.json');
  const text = await readIfThere(path);
  if (text === undefined)
    throw new EngineError(
      'not-found',
      `context ${JSON.stringify(name)}: context not found: open ${path}: no such file or directory`,
    );
  return decodeContext(name, text);
}

/** @throws EngineError "invalid" */
export function decodeContext(name: string, text: string): ContextMetadata {
  let meta: Partial<ContextMetadata> | null;
  try {
    meta = JSON.parse(text) as typeof meta;
  } catch (cause) {
    throw new EngineError('invalid', `Cannot read context ${JSON.stringify(name)}: it is no JSON`, { cause });
  }
  const { Host: host } = meta?.Endpoints?.['docker'] ?? {};
  if (typeof host !== 'string' || host === '')
    throw new EngineError('invalid', `Context ${JSON.stringify(name)} names no Docker host`);
  return {
    Name: typeof meta?.Name === 'string' ? meta.Name : name,
    Metadata: meta?.Metadata ?? {},
    Endpoints: meta?.Endpoints ?? {},
  };
}

/** Host and certificates of a context's Docker endpoint; `tls` undefined: it has none of its own. */
export async function readContextEndpoint(
  configFolder: string,
  name: string,
): Promise<{ host: string; tls: TlsOptions | undefined }> {
  const { Host: host = '', SkipTLSVerify: skip } =
    (await readContextMetadata(configFolder, name)).Endpoints['docker'] ?? {};
  const tls = await readCertificates(join(contextPlaces(configFolder, name).tls, 'docker'));
  const wanted = tls.ca !== undefined || tls.cert !== undefined || skip === true;
  return { host, tls: wanted ? { ...tls, verify: skip !== true } : undefined };
}

/** Those of `ca.pem`, `cert.pem` and `key.pem` that are in a folder. */
export async function readCertificates(folder: string): Promise<TlsOptions> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readIfThere(join(folder, name))),
  );
  return { ca, cert, key };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT' || errnoCodeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
