import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { NamedContext } from '../../builder/build-request.ts';
import type { FoundFile } from '../../builder/sources/place-files.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { toGoFileMode } from '../filesync/go-file-mode.ts';
import type { GrpcCall, Implementation } from '../grpc/grpc-server.ts';
import { GRPC, GrpcError } from '../grpc/grpc-status.ts';
import type { FileRange, LLBBridge, ResultSchema, SolveRequest } from '../protocol/generated/gateway_pb.ts';
import { type Definition, type DefinitionSchema, OpSchema } from '../protocol/generated/llb_pb.ts';
import type { StatSchema } from '../protocol/generated/stat_pb.ts';
import type { BuildRuns, DrivenBuild, FrontendAnswer } from './build-runs.ts';
import { FRONTEND_CAPABILITIES, LLB_CAPABILITIES } from './capabilities.ts';
import { digestOf, RESULT_IMAGE, readGraph } from './source-graph.ts';
import { type WorkerFacts, workerRecord } from './worker-record.ts';

/** `moby.buildkit.v1.frontend.LLBBridge`: what clients that drive a build ask while it runs. */
export function gatewayService(runs: BuildRuns, worker: WorkerFacts): Implementation<typeof LLBBridge> {
  const buildOf = (call: GrpcCall) => runs.driven(buildIdOf(call), call.signal);
  return {
    ping: async () => ({
      frontendApiCaps: FRONTEND_CAPABILITIES.map((id) => ({ id, enabled: true })),
      llbCaps: LLB_CAPABILITIES.map((id) => ({ id, enabled: true })),
      workers: [await workerRecord(worker)],
    }),
    solve: async (request, call) => {
      const build = await buildOf(call);
      if (request.frontend === '') return { result: await sourceResult(build, request) };
      const asked = {
        attributes: request.frontendOpt,
        frontend: request.frontend,
        inputs: inputsOf(request.frontendInputs),
      };
      return { result: resultOf(await runs.step(build, asked, call.signal)) };
    },
    readFile: async ({ ref, filePath, range }, call) => {
      const files = await (await buildOf(call)).refs.files(ref);
      return { data: files.read(filePath, rangeOf(range)) };
    },
    readDir: async ({ ref, dirPath, includePattern }, call) => {
      const files = await (await buildOf(call)).refs.files(ref);
      return { entries: files.list(dirPath, includePattern).map(statOf) };
    },
    statFile: async ({ ref, path }, call) => {
      const files = await (await buildOf(call)).refs.files(ref);
      return { stat: statOf(files.stat(path)) };
    },
    return: async ({ error }, call) => {
      const { returned } = await buildOf(call);
      if (error === undefined || error.code === GRPC.ok) returned.resolve();
      else returned.reject(new GrpcError(error.code, error.message, error.details));
      return {};
    },
    inputs: async (_, call) => {
      await buildOf(call);
      return { definitions: {} };
    },
    // The build ran when it was asked for.
    evaluate: async ({ ref }, call) => {
      (await buildOf(call)).refs.source(ref);
      return {};
    },
    warn: async ({ digest, level, short, detail, url }, call) => {
      const { job } = await buildOf(call);
      const text = new TextDecoder();
      job.tell({
        type: 'warning',
        warning: {
          vertex: digest === '' ? undefined : (digest as never),
          level: Number(level),
          short: text.decode(short),
          detail: detail.map((line) => text.decode(line)),
          url,
        },
      });
      return {};
    },
  };
}

function buildIdOf({ metadata }: GrpcCall): string {
  const id = metadata['buildkit-controlapi-buildid'];
  if (typeof id !== 'string' || id === '') throw new EngineError('invalid', 'no buildid found in context');
  return id;
}

/** An image that was made is referred to by its ID: a client that makes it the input of another build hands the reference back. */
function resultOf({ result, facts }: FrontendAnswer): MessageInitShape<typeof ResultSchema> {
  const imageId = result?.imageId;
  if (imageId === undefined) return { metadata: facts };
  return {
    result: { case: 'ref', value: { id: imageId, def: imageDefinition(imageId) } },
    metadata: facts,
  };
}

/** A source that the client wants to look into: a bake file, a Dockerfile elsewhere. */
async function sourceResult(
  { refs }: DrivenBuild,
  { definition, evaluate }: SolveRequest,
): Promise<MessageInitShape<typeof ResultSchema>> {
  if (definition === undefined) throw new EngineError('invalid', 'no frontend and no graph');
  const id = refs.add(readGraph(definition));
  if (evaluate) await refs.files(id);
  return { result: { case: 'ref', value: { id, def: definition } } };
}

function rangeOf(range: FileRange | undefined): { offset: number; length: number | undefined } {
  const [offset, length] = [Number(range?.offset ?? 0n), Number(range?.length ?? 0n)];
  if (offset < 0 || length < 0) throw new EngineError('invalid', 'negative offset or length');
  return { offset, length: range === undefined ? undefined : length };
}

/** A graph of one image, and of the node that names its result. */
function imageDefinition(imageId: string): MessageInitShape<typeof DefinitionSchema> {
  const source = toBinary(
    OpSchema,
    create(OpSchema, { op: { case: 'source', value: { identifier: `${RESULT_IMAGE}${imageId}` } } }),
  );
  const head = toBinary(OpSchema, create(OpSchema, { inputs: [{ digest: digestOf(source) }] }));
  return { def: [source, head], metadata: { [digestOf(source)]: {}, [digestOf(head)]: {} } };
}

/** By the names of the inputs. @throws EngineError "not-implemented" for graphs that would have to be run. */
function inputsOf(definitions: Readonly<Record<string, Definition>>): Map<string, NamedContext> {
  const inputs = new Map<string, NamedContext>();
  for (const [name, definition] of Object.entries(definitions)) {
    const source = readGraph(definition);
    if (source.type === 'file')
      throw new EngineError('not-implemented', `input ${JSON.stringify(name)} is a single file`);
    inputs.set(name, source);
  }
  return inputs;
}

function statOf({ name, attributes }: FoundFile): MessageInitShape<typeof StatSchema> {
  const { type, mode, uid, gid, size, mtimeSeconds, mtimeNanoseconds, linkTarget = '' } = attributes;
  return {
    path: name,
    mode: toGoFileMode(type, mode),
    uid,
    gid,
    size: BigInt(size),
    modTime: BigInt(mtimeSeconds) * 1_000_000_000n + BigInt(mtimeNanoseconds),
    linkname: linkTarget,
    devmajor: BigInt(attributes.deviceMajor ?? 0),
    devminor: BigInt(attributes.deviceMinor ?? 0),
    xattrs: Object.fromEntries(attributes.xattrs),
  };
}
