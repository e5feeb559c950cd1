import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { EngineError } from '../../errors/engine-error.ts';
import type { GrpcCall, Implementation } from '../grpc/grpc-server.ts';
import { GRPC, GrpcError } from '../grpc/grpc-status.ts';
import type { LLBBridge, ResultSchema } from '../protocol/generated/gateway_pb.ts';
import { type Definition, type DefinitionSchema, OpSchema } from '../protocol/generated/llb_pb.ts';
import type { BuildRuns, FrontendAnswer } from './build-runs.ts';
import { FRONTEND_CAPABILITIES, LLB_CAPABILITIES } from './capabilities.ts';
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
      if (request.frontend === '')
        throw new EngineError('not-implemented', 'building a graph is not implemented; Dockerfiles are');
      const build = await buildOf(call);
      const asked = {
        attributes: request.frontendOpt,
        frontend: request.frontend,
        inputs: inputsOf(request.frontendInputs),
      };
      return { result: resultOf(await runs.step(build, asked, call.signal)) };
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
    evaluate: async () => ({}),
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

const RESULT_IMAGE = 'docker-image://sampan.local/result@';

/** A graph of one image, and of the node that names its result. */
function imageDefinition(imageId: string): MessageInitShape<typeof DefinitionSchema> {
  const source = toBinary(
    OpSchema,
    create(OpSchema, { op: { case: 'source', value: { identifier: `${RESULT_IMAGE}${imageId}` } } }),
  );
  const head = toBinary(OpSchema, create(OpSchema, { inputs: [{ digest: digestOf(source) }] }));
  return { def: [source, head], metadata: { [digestOf(source)]: {}, [digestOf(head)]: {} } };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}`;
}

/** Results of ours that a client hands back, by the names of the inputs. @throws EngineError "not-implemented" for graphs of others. */
function inputsOf(definitions: Readonly<Record<string, Definition>>): Map<string, string> {
  const inputs = new Map<string, string>();
  for (const [name, definition] of Object.entries(definitions)) {
    const identifier = definition.def.map(sourceOf).find((found) => found?.startsWith(RESULT_IMAGE));
    if (identifier === undefined)
      throw new EngineError(
        'not-implemented',
        `input ${JSON.stringify(name)} is a graph; only results of builds are taken`,
      );
    inputs.set(name, identifier.slice(RESULT_IMAGE.length));
  }
  return inputs;
}

function sourceOf(op: Uint8Array): string | undefined {
  try {
    const decoded = fromBinary(OpSchema, op);
    return decoded.op.case === 'source' ? decoded.op.value.identifier : undefined;
  } catch {
    return undefined;
  }
}
