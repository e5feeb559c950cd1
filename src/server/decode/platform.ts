import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { type Platform, parsePlatform } from '../../oci/platform.ts';
import { parseJson } from '../../wire/json.ts';
import { compareApiVersions } from '../../wire/versions.ts';
import { type ApiRequest, textParam } from '../api-request.ts';
import { Fields, string } from './go-json.ts';

const ARCHITECTURES: Record<string, string> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
  armhf: 'arm',
  armel: 'arm',
};

/**
 * The `platform` parameter: `linux/arm64/v8`, or the JSON of an OCI platform (image inspect and history, from 1.49).
 *
 * @throws EngineError "invalid" on anything else.
 */
export function platformParam(request: ApiRequest): Platform | undefined {
  const text = textParam(request, 'platform');
  if (text === undefined) return undefined;
  return text.startsWith('{') ? fromJson(text) : fromText(text);
}

/**
 * All `platform` parameters of save and load, each the JSON of an OCI platform: one from API 1.48, several from 1.52.
 *
 * @throws EngineError "invalid", in Docker's words.
 */
export function platformParams(request: ApiRequest): Platform[] {
  const texts = request.query.getAll('platform').filter((text) => text !== '');
  if (compareApiVersions(request.version, '1.48') < 0) return [];
  if (texts.length > 1 && compareApiVersions(request.version, '1.52') < 0)
    throw new EngineError(
      'invalid',
      'multiple platform parameters are not supported in this API version; use API version 1.52 or later',
    );
  return texts.map(platformJson);
}

/** The JSON of an OCI platform. @throws EngineError "invalid", in Docker's words. */
export function platformJson(text: string): Platform {
  try {
    return fromJson(text);
  } catch (error) {
    throw new EngineError('invalid', `failed to parse platform: ${messageOf(error)}`, { cause: error });
  }
}

function fromJson(text: string): Platform {
  const fields = new Fields(parseJson(text, { maxLength: 4096, maxDepth: 4 }), '', 'v1.Platform');
  const os = fields.get('os', string) ?? '';
  const architecture = fields.get('architecture', string) ?? '';
  if (os === '' || architecture === '')
    throw new EngineError('invalid', 'both OS and Architecture must be provided');
  const variant = fields.get('variant', string) ?? '';
  const osVersion = fields.get('os.version', string) ?? '';
  return {
    os,
    architecture,
    ...(variant === '' ? {} : { variant }),
    ...(osVersion === '' ? {} : { osVersion }),
  };
}

function fromText(text: string): Platform {
  // Refuses what is none; a variant that goes without saying stays here, as it was asked for.
  const { os, osVersion } = parsePlatform(text);
  const [first = '', second, variant] = text.toLowerCase().split('/');
  if (second === undefined) return fromWord(first);
  return {
    os,
    architecture: ARCHITECTURES[second] ?? second,
    ...(variant === undefined ? {} : { variant }),
    ...(osVersion === undefined ? {} : { osVersion }),
  };
}

/** One word is an operating system if it is one that we know, else an architecture. */
function fromWord(word: string): Platform {
  const host = ARCHITECTURES[process.arch] ?? (process.arch === 'x64' ? 'amd64' : process.arch);
  if (['linux', 'windows', 'darwin', 'freebsd'].includes(word)) return { os: word, architecture: host };
  return { os: 'linux', architecture: ARCHITECTURES[word] ?? word };
}
