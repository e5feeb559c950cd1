import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { CliContext } from '../context.ts';
import { parseCsv } from '../flags/csv.ts';
import { defaultHost } from '../host.ts';
import type { ContextStore, PemFiles, StoredContext } from './context-store.ts';

type DockerEndpoint = Pick<StoredContext, 'tls'> & { endpoint: { Host: string; SkipTLSVerify: boolean } };

const KEYS = ['from', 'host', 'ca', 'cert', 'key', 'skip-tls-verify'];
export const DOCKER_ENDPOINT_HELP = `Docker endpoint config:

NAME                DESCRIPTION
from                Copy named context's Docker endpoint configuration
host                Docker endpoint on which to connect
ca                  Trust certs signed only by this CA
cert                Path to TLS certificate file
key                 Path to TLS key file
skip-tls-verify     Skip TLS certificate validation`;

/**
 * What `--docker host=…,ca=…` describes; without a word of it, where the default context leads now.
 *
 * @throws EngineError "invalid" in Docker's words.
 */
export async function readDockerEndpoint(
  words: readonly string[],
  { context, store }: { context: CliContext; store: ContextStore },
): Promise<DockerEndpoint> {
  try {
    const settings = settingsOf(words);
    const from = settings.get('from');
    if (from !== undefined) return endpointOf(await store.get(from));
    const tls: PemFiles = {};
    for (const [key, file] of [
      ['ca', 'ca.pem'],
      ['cert', 'cert.pem'],
      ['key', 'key.pem'],
    ] as const) {
      const path = settings.get(key);
      if (path) tls[file] = await readPem(resolve(context.cwd, path), path);
    }
    const endpoint = {
      Host: settings.get('host') ?? defaultHost(context.hostChoice),
      SkipTLSVerify: flagOf(settings.get('skip-tls-verify') ?? 'false'),
    };
    checkCertificates(tls);
    return { endpoint, tls };
  } catch (error) {
    throw new EngineError('invalid', `unable to create docker endpoint config: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

export function endpointOf({ metadata, tls }: StoredContext): DockerEndpoint {
  const { Host = '', SkipTLSVerify = false } = metadata.Endpoints['docker'] ?? {};
  return { endpoint: { Host, SkipTLSVerify }, tls };
}

function settingsOf(words: readonly string[]): Map<string, string> {
  const settings = new Map<string, string>();
  for (const pair of words.flatMap(parseCsv)) {
    const equals = pair.indexOf('=');
    if (equals < 0) throw new EngineError('invalid', `${pair} must be formatted as key=value`);
    const key = pair.slice(0, equals);
    if (!KEYS.includes(key)) throw new EngineError('invalid', `unrecognized config key: ${key}`);
    settings.set(key, pair.slice(equals + 1));
  }
  return settings;
}

/** As Go reads a boolean. */
function flagOf(text: string): boolean {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw new EngineError('invalid', `skip-tls-verify: parsing ${JSON.stringify(text)}: invalid syntax`);
}

async function readPem(path: string, shown: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new EngineError(
      'invalid',
      `open ${shown}: ${messageOf(error).replace(/^\w+: (.*?), open .*$/, '$1')}`,
      {
        cause: error,
      },
    );
  }
}

function checkCertificates(tls: PemFiles): void {
  const invalid = (why: string, cause?: unknown) =>
    new EngineError(
      'invalid',
      `invalid docker endpoint options: failed to retrieve context tls info: ${why}`,
      {
        cause,
      },
    );
  for (const file of ['ca.pem', 'cert.pem'] as const) {
    const pem = tls[file];
    try {
      if (pem !== undefined) new X509Certificate(pem);
    } catch (error) {
      throw invalid(`${file} seems invalid`, error);
    }
  }
  if ((tls['cert.pem'] === undefined) !== (tls['key.pem'] === undefined))
    throw invalid('a certificate and its key go together');
}
