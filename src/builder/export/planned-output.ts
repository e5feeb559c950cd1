import { EngineError } from '../../errors/engine-error.ts';
import type { Platform } from '../../oci/platform.ts';
import { parseReference, type Reference, withDefaultTag } from '../../oci/reference.ts';
import type { BuildOutput, BuildRequest } from '../build-request.ts';
import type { BuildResult } from '../builder.ts';
import { type OutputOptions, readOutputOptions } from './output-options.ts';

/** An output that was found to be possible. */
export interface PlannedOutput {
  output: BuildOutput;
  options: OutputOptions;
  references: readonly Reference[];
}

/** @throws EngineError "invalid", "not-implemented" for what can't be done, before anything is. */
export function planOutputs(request: BuildRequest): PlannedOutput[] {
  return request.outputs.map((output) => {
    const options = readOutputOptions(output, request);
    const planned = { output, options, references: output.names.map(nameOf) };
    checkOutput(planned, request);
    return planned;
  });
}

function nameOf(name: string): Reference {
  const reference = parseReference(name);
  if (reference.digest !== undefined)
    throw new EngineError('invalid', 'refusing to create a tag with a digest reference');
  return withDefaultTag(reference);
}

function checkOutput({ output, options, references }: PlannedOutput, request: BuildRequest): void {
  const { platforms, attestations } = request;
  const isAsked = [...attestations.values()].some((one) => one['inline-only'] !== 'true');
  switch (output.type) {
    case 'image':
      if (output.push && references.length === 0)
        throw new EngineError('invalid', 'tag is needed when pushing to registry');
      if (options.pushByDigest && !output.push)
        throw new EngineError('invalid', 'push-by-digest=true wants push=true');
      return;
    case 'docker':
      if (new Set(platforms).size > 1 || isAsked)
        throw new EngineError(
          'invalid',
          'docker exporter does not currently support exporting manifest lists',
        );
      return;
    default:
  }
}

export function emptyResult(platforms: readonly Platform[]): BuildResult {
  return { imageId: undefined, descriptor: undefined, configDigest: undefined, platforms, metadata: {} };
}
