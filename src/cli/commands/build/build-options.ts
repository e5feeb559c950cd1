import { EngineError } from '../../../errors/engine-error.ts';
import type { BuildRequestJson } from '../../../wire/build.ts';
import { parseCsv } from '../../flags/csv.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';

/** `type=registry,ref=x,mode=max`; a bare word is `word` alone. @throws EngineError "invalid". */
function fieldsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    parseCsv(text).map((field): [string, string] => {
      const at = field.indexOf('=');
      if (at < 0) throw new EngineError('invalid', `invalid value ${field}`);
      return [field.slice(0, at).trim().toLowerCase(), field.slice(at + 1)];
    }),
  );
}

/** `--cache-from` and `--cache-to`; a bare name is an image or a cache in a registry. @throws EngineError "invalid" in buildx's words. */
export function cacheEntries(
  flags: ParsedFlags,
  name: 'cache-from' | 'cache-to',
): BuildRequestJson['cacheTo'] {
  return flags.list(name).map((text) => {
    const isName = !text.includes('=');
    const { type, ...attributes } = isName ? { type: 'registry', ref: text } : fieldsOf(text);
    if (type === undefined) throw new EngineError('invalid', `type is required: "${text}"`);
    return { type, attributes };
  });
}

/** `--attest`, `--provenance` and `--sbom`, by kind. @throws EngineError "invalid". */
export function attestationsOf(flags: ParsedFlags): BuildRequestJson['attestations'] {
  const wanted: BuildRequestJson['attestations'] = {};
  for (const text of flags.list('attest')) {
    const { type, ...attributes } = fieldsOf(text);
    if (type !== 'provenance' && type !== 'sbom')
      throw new EngineError('invalid', `unknown attestation type ${JSON.stringify(type ?? '')}`);
    set(wanted, type, attributes);
  }
  for (const type of ['provenance', 'sbom'] as const) {
    const text = flags.string(type);
    if (text === '') continue;
    if (/^(1|t|true)$/i.test(text)) set(wanted, type, {});
    else if (/^(0|f|false)$/i.test(text)) set(wanted, type, { disabled: 'true' });
    else set(wanted, type, fieldsOf(text));
  }
  return wanted;
}

function set(
  wanted: BuildRequestJson['attestations'],
  type: 'provenance' | 'sbom',
  { disabled, ...attributes }: Record<string, string>,
): void {
  if (disabled === 'true') delete wanted[type];
  else wanted[type] = attributes;
}

/** `--annotation [places:]key=value` as attributes of outputs. @throws EngineError "invalid" in buildx's words. */
export function annotationAttributes(flags: ParsedFlags): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const text of flags.list('annotation')) {
    const at = text.indexOf('=');
    if (at < 0) throw new EngineError('invalid', `invalid annotation "${text}", expected key=value`);
    const [, places, key = ''] =
      /^(?:((?:index|manifest)(?:-descriptor)?(?:\[[^\]]*\])?(?:,(?:index|manifest)(?:-descriptor)?(?:\[[^\]]*\])?)*):)?(.*)$/.exec(
        text.slice(0, at),
      ) ?? [];
    for (const place of places?.split(',') ?? ['manifest'])
      attributes[`annotation-${place}.${key}`] = text.slice(at + 1);
  }
  return attributes;
}
