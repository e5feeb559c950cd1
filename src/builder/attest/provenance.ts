import { EngineError } from '../../errors/engine-error.ts';
import { algorithmOf, type Digest, hexOf } from '../../oci/digest.ts';
import { formatPlatform, hostPlatform, type Platform } from '../../oci/platform.ts';
import { parseReference, type Reference } from '../../oci/reference.ts';
import { timeOf } from '../export/image-config.ts';
import type { Attestation } from '../export/image-documents.ts';
import { layoutUrl, packageUrl, type Subject, statementOf } from './statement.ts';

const BUILD_TYPE = 'https://mobyproject.org/buildkit@v1';
const BUILD_TYPE_V1 = 'https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md';
const V02 = 'https://slsa.dev/provenance/v0.2';
const V1 = 'https://slsa.dev/provenance/v1';

export interface ProvenanceOptions {
  mode: 'min' | 'max';
  version: 'v0.2' | 'v1';
  builderId: string;
  reproducible: boolean;
  /** Nobody asked for it: the client adds it to every build, for outputs that can carry it. */
  isDefault: boolean;
}

/** An image that the build stands on. */
export interface Material {
  name: string;
  digest: Digest;
  platform: Platform;
  /** Of a layout of the client's. */
  isLocal?: boolean;
}

export interface BuildFacts {
  invocationId: string;
  startedNano: bigint;
  finishedNano: bigint;
  /** The Dockerfile's path. */
  entryPoint: string;
  dockerfile: Uint8Array;
  /** The context's URL, where it has one. */
  contextUrl: string | undefined;
  /** As the client gave them, by BuildKit's names. */
  parameters: Readonly<Record<string, string>>;
  materials: readonly Material[];
  /** The instructions that were done, with what they stood for. */
  steps: readonly { id: string; name: string; inputs: readonly string[] }[];
}

/** `--provenance`'s attributes. @throws EngineError "invalid", "not-implemented". */
export function readProvenanceOptions(attributes: Readonly<Record<string, string>>): ProvenanceOptions {
  const { mode = 'min', version = 'v0.2', reproducible = 'false' } = attributes;
  const known = [
    'mode',
    'version',
    'reproducible',
    'builder-id',
    'inline-only',
    'filename',
    'capture-layers',
  ];
  const unknown = Object.keys(attributes).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new EngineError('invalid', `unknown provenance attribute ${JSON.stringify(unknown)}`);
  if (mode !== 'min' && mode !== 'max')
    throw new EngineError('invalid', `invalid mode ${JSON.stringify(mode)}`);
  if (version !== 'v0.2' && version !== 'v1')
    throw new EngineError('invalid', `invalid SLSA version ${JSON.stringify(version)}`);
  return {
    mode,
    version,
    builderId: attributes['builder-id'] ?? '',
    reproducible: /^(1|t|true)$/i.test(reproducible),
    isDefault: attributes['inline-only'] === 'true',
  };
}

/** How an image was made: SLSA provenance in BuildKit's form. `min` leaves out what may be private: arguments, labels, the Dockerfile, the steps. */
export function provenanceOf(facts: BuildFacts, options: ProvenanceOptions, about: Subject): Attestation {
  return options.version === 'v1'
    ? statementOf(V1, predicateV1(facts, options), about)
    : statementOf(V02, predicateV02(facts, options), about);
}

function predicateV02(facts: BuildFacts, options: ProvenanceOptions): object {
  const isWhole = options.mode === 'max';
  return {
    builder: { id: options.builderId },
    buildType: BUILD_TYPE,
    materials: materialsOf(facts),
    invocation: {
      configSource: configSource(facts),
      parameters: parametersOf(facts, isWhole),
      environment: { platform: formatPlatform(hostPlatform()) },
    },
    ...(isWhole ? { buildConfig: { llbDefinition: stepsOf(facts) } } : {}),
    metadata: {
      buildInvocationID: facts.invocationId,
      buildStartedOn: timeOf(facts.startedNano),
      buildFinishedOn: timeOf(facts.finishedNano),
      completeness: { parameters: isWhole, environment: true, materials: false },
      reproducible: options.reproducible,
      [`${BUILD_TYPE}#metadata`]: isWhole ? sourceOf(facts) : {},
    },
  };
}

function predicateV1(facts: BuildFacts, options: ProvenanceOptions): object {
  const isWhole = options.mode === 'max';
  return {
    buildDefinition: {
      buildType: BUILD_TYPE_V1,
      externalParameters: { configSource: v1ConfigSource(facts), request: parametersOf(facts, isWhole) },
      internalParameters: {
        builderPlatform: formatPlatform(hostPlatform()),
        ...(isWhole ? { buildConfig: { llbDefinition: stepsOf(facts) } } : {}),
      },
      resolvedDependencies: materialsOf(facts),
    },
    runDetails: {
      builder: { id: options.builderId },
      metadata: {
        invocationId: facts.invocationId,
        startedOn: timeOf(facts.startedNano),
        finishedOn: timeOf(facts.finishedNano),
        buildkit_metadata: isWhole ? sourceOf(facts) : {},
        buildkit_completeness: { request: isWhole, resolvedDependencies: false },
        buildkit_reproducible: options.reproducible,
      },
    },
  };
}

function materialsOf({ materials }: BuildFacts): object[] {
  return materials.map((material) => ({
    uri: uriOf(material),
    digest: { [algorithmOf(material.digest)]: hexOf(material.digest) },
  }));
}

function uriOf({ name, platform, isLocal = false }: Material): string {
  let reference: Reference;
  try {
    reference = parseReference(name);
  } catch {
    return name;
  }
  return isLocal ? layoutUrl(reference, platform) : packageUrl(reference, platform);
}

function configSource({ entryPoint, contextUrl }: BuildFacts): object {
  return { ...(contextUrl === undefined ? {} : { uri: contextUrl }), entryPoint };
}

function v1ConfigSource({ entryPoint, contextUrl }: BuildFacts): object {
  return { ...(contextUrl === undefined ? {} : { uri: contextUrl }), path: entryPoint };
}

/** What may be told in any case; the rest only where all is wanted. */
const PUBLIC = /^(target|platform|filename|source|no-cache|image-resolve-mode)$/;

function parametersOf({ parameters, contextUrl }: BuildFacts, isWhole: boolean): object {
  const args = Object.fromEntries(
    Object.entries(parameters).filter(([name]) => isWhole || PUBLIC.test(name)),
  );
  return {
    frontend: 'dockerfile.v0',
    ...(Object.keys(args).length === 0 ? {} : { args }),
    ...(contextUrl === undefined ? { locals: [{ name: 'context' }, { name: 'dockerfile' }] } : {}),
  };
}

function stepsOf({ steps }: BuildFacts): object[] {
  return steps.map(({ id, name, inputs }) => ({ id, op: { name }, inputs }));
}

function sourceOf({ entryPoint, dockerfile }: BuildFacts): object {
  const data = Buffer.from(dockerfile).toString('base64');
  return { source: { infos: [{ filename: entryPoint, language: 'Dockerfile', data }] } };
}
