import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EngineError } from '../../../errors/engine-error.ts';
import type { BuildOutputJson } from '../../../wire/build.ts';
import type { CliContext } from '../../context.ts';
import { parseCsv } from '../../flags/csv.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';
import { saveOutput } from '../save-output.ts';
import { annotationAttributes } from './build-options.ts';
import { unpackTar } from './unpack-tar.ts';

export interface WantedOutput {
  json: BuildOutputJson;
  /** Where the client writes it; `-` is standard output. */
  destination: string | undefined;
  /** The directory that becomes an OCI layout (`tar=false`). */
  layout?: string;
}

/** `--output`, `--push` and the names. Without any the image stays here. @throws EngineError "invalid" in buildx's words. */
export function wantedOutputs(flags: ParsedFlags): WantedOutput[] {
  const names = flags.list('tag');
  const annotations = annotationAttributes(flags);
  const outputs = flags
    .list('output')
    .map((text, at) => parseOutput(text, { names, id: String(at) }))
    .map((output) => ({ ...output, json: annotated(output.json, annotations) }));
  if (flags.bool('push')) {
    const image = outputs.find(({ json }) => json.type === 'image');
    if (image?.json.type === 'image') image.json = { ...image.json, push: true };
    else
      outputs.push({
        json: imageOutput(names, { push: true, attributes: annotations }),
        destination: undefined,
      });
  }
  if (outputs.length > 0) return outputs;
  return [{ json: imageOutput(names, { push: false, attributes: annotations }), destination: undefined }];
}

function imageOutput(
  names: string[],
  { push, attributes }: { push: boolean; attributes: Record<string, string> },
): BuildOutputJson {
  return { type: 'image', names, push, attributes };
}

function annotated(json: BuildOutputJson, annotations: Record<string, string>): BuildOutputJson {
  if (json.type === 'local' || json.type === 'tar') return json;
  return { ...json, attributes: { ...annotations, ...json.attributes } };
}

function parseOutput(text: string, { names, id }: { names: string[]; id: string }): WantedOutput {
  const fields = parseCsv(text);
  const isPath = fields.length === 1 && !(fields[0] ?? '').includes('=');
  const given = new Map(
    isPath
      ? [text === '-' ? ['type', 'tar'] : ['type', 'local'], ['dest', text]].map(
          ([k = '', v = '']): [string, string] => [k, v],
        )
      : fields.map((field): [string, string] => {
          const at = field.indexOf('=');
          if (at < 0) throw new EngineError('invalid', `invalid value ${field}`);
          return [field.slice(0, at).trim().toLowerCase(), field.slice(at + 1)];
        }),
  );
  const type = given.get('type');
  const named = given.get('name');
  const all = named === undefined ? names : [...new Set([...names, ...named.split(',')])];
  const own = ['type', 'name', 'dest', 'push', 'load'];
  const attributes = Object.fromEntries([...given].filter(([name]) => !own.includes(name)));
  switch (type) {
    case 'image':
    case 'registry':
      return {
        json: imageOutput(all, {
          push: type === 'registry' || given.get('push') === 'true',
          attributes,
        }),
        destination: undefined,
      };
    case 'docker':
      if (isLayout(given)) return layoutOutput(type, given, { type, id, names: all, attributes });
      if (!given.has('dest'))
        return { json: imageOutput(all, { push: false, attributes }), destination: undefined };
      return { json: { type, id, names: all, attributes }, destination: given.get('dest') };
    case 'local':
    case 'tar':
    case 'oci':
      if (type === 'oci' && isLayout(given))
        return layoutOutput(type, given, { type, id, names: all, attributes });
      return {
        json: { type, id, names: all, attributes },
        destination: destinationOf(type, given.get('dest')),
      };
    case undefined:
      throw new EngineError('invalid', `type is required for output`);
    default:
      throw new EngineError('invalid', `exporter ${JSON.stringify(type)} could not be found`);
  }
}

function isLayout(given: ReadonlyMap<string, string>): boolean {
  return /^(0|f|false)$/i.test(given.get('tar') ?? '');
}

function layoutOutput(type: string, given: ReadonlyMap<string, string>, json: BuildOutputJson): WantedOutput {
  const dest = given.get('dest') ?? '';
  if (dest === '') throw new EngineError('invalid', `dest is required for ${type} exporter`);
  if (dest === '-') throw new EngineError('invalid', `dest cannot be stdout for ${type} exporter`);
  return { json, destination: undefined, layout: dest };
}

function destinationOf(type: string, dest: string | undefined): string {
  if (dest !== undefined && dest !== '') return dest;
  if (type === 'local') throw new EngineError('invalid', 'dest is required for local output');
  return '-';
}

/** Put a fetched output where it was wanted. */
export async function writeOutput(
  context: CliContext,
  output: { type: string; destination: string },
  archive: AsyncIterable<Uint8Array>,
): Promise<void> {
  if (output.type === 'local') {
    const target = resolve(context.cwd, output.destination);
    await mkdir(target, { recursive: true });
    await unpackTar(archive, target);
    return;
  }
  const place = output.destination === '-' ? '' : output.destination;
  await saveOutput(context, { output: place, failure: 'failed to write output', read: async () => archive });
}
