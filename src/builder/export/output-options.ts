import { EngineError } from '../../errors/engine-error.ts';
import { parseBool } from '../../text/parse-bool.ts';
import type { BuildOutput, BuildRequest } from '../build-request.ts';
import { type ImageAnnotations, readAnnotations } from './annotations.ts';
import { readEpoch } from './source-date-epoch.ts';

export type OutputCompression = 'uncompressed' | 'gzip' | 'zstd';

/** What an output's attributes say, by BuildKit's names. */
export interface OutputOptions {
  /** Undefined: gzip for what leaves this host, as it is for what stays. */
  compression: OutputCompression | undefined;
  compressionLevel: number | undefined;
  /** The base image's layers too. */
  forceCompression: boolean;
  ociTypes: boolean;
  annotations: ImageAnnotations;
  pushByDigest: boolean;
  /** Undefined: only where there are several platforms. */
  platformSplit: boolean | undefined;
  /** Seconds: what the image says of itself, and of files in a tree. The build's own, unless the output has another. */
  epoch: number | undefined;
  /** No file of the image's own layers is later than `epoch`. */
  rewriteTimestamp: boolean;
  /** May speak plain HTTP to the registry. */
  insecure: boolean;
  /** An OCI layout in a directory of the client's, and no archive of it. */
  asLayout: boolean;
  /** Put before the names of attestation files. */
  attestationPrefix: string;
}

/** Of no consequence here: the client's own, or what is always so. */
const WITHOUT_EFFECT = new Set([
  'name',
  'push',
  'store',
  'dest',
  'unpack',
  'name-canonical',
  'dangling-name-prefix',
  'danglingname-prefix',
  'buildinfo',
  'buildinfo-attrs',
  'attestation-prefix',
]);

/** @throws EngineError "invalid" for attributes that are malformed or unknown, "not-implemented" for those of BuildKit's that aren't there. */
export function readOutputOptions(
  output: BuildOutput,
  { sourceDateEpoch }: Pick<BuildRequest, 'sourceDateEpoch'>,
): OutputOptions {
  const { attributes } = output;
  refuseUnknown(output);
  const flag = (name: string): boolean | undefined => flagOf(name, attributes[name]);
  return {
    compression: compressionOf(attributes.compression),
    compressionLevel: levelOf(attributes['compression-level']),
    forceCompression: flag('force-compression') ?? false,
    ociTypes: flag('oci-mediatypes') ?? true,
    annotations: readAnnotations(attributes),
    pushByDigest: flag('push-by-digest') ?? false,
    platformSplit: flag('platform-split'),
    epoch: epochOf(attributes['source-date-epoch'], sourceDateEpoch),
    rewriteTimestamp: flag('rewrite-timestamp') ?? false,
    insecure: flag('registry.insecure') ?? false,
    asLayout: flag('tar') === false,
    attestationPrefix: attributes['attestation-prefix'] ?? '',
  };
}

const KNOWN = new Set([
  'tar',
  'compression',
  'compression-level',
  'force-compression',
  'oci-mediatypes',
  'push-by-digest',
  'platform-split',
  'rewrite-timestamp',
  'source-date-epoch',
  'registry.insecure',
]);

function refuseUnknown({ type, attributes }: BuildOutput): void {
  for (const name of Object.keys(attributes)) {
    if (KNOWN.has(name) || WITHOUT_EFFECT.has(name) || /^annotation[-.[]/.test(name)) continue;
    if (name === 'prefer-nondist-layers' && flagOf(name, attributes[name]) !== true) continue;
    if (name === 'prefer-nondist-layers' || name === 'store-allow-incomplete')
      throw new EngineError('not-implemented', `output attribute ${name} is not implemented`);
    throw new EngineError('invalid', `unknown attribute ${JSON.stringify(name)} of output ${type}`);
  }
}

/** An empty one of the output's is none. */
function epochOf(own: string | undefined, built: string | undefined): number | undefined {
  return own === undefined ? readEpoch('SOURCE_DATE_EPOCH', built) : readEpoch('source-date-epoch', own);
}

/** A bare name is true. */
function flagOf(name: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  const value = text === '' ? true : parseBool(text);
  if (value !== undefined) return value;
  throw new EngineError('invalid', `non-bool value specified for ${name}: ${JSON.stringify(text)}`);
}

function compressionOf(text: string | undefined): OutputCompression | undefined {
  if (text === undefined || text === '') return undefined;
  if (text === 'uncompressed' || text === 'gzip' || text === 'zstd') return text;
  if (text === 'estargz')
    throw new EngineError('not-implemented', 'compression type estargz is not implemented');
  throw new EngineError('invalid', `unsupported compression type ${text}`);
}

function levelOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,2}$/.test(text))
    throw new EngineError('invalid', `non-int value ${text} specified for compression-level`);
  return Math.min(Number(text), 22);
}
