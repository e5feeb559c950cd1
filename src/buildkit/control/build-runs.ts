import type { BuildBackend } from '../../builder/build-backend.ts';
import type { BuildEvent } from '../../builder/build-progress.ts';
import type { NamedContext } from '../../builder/build-request.ts';
import type { ContextSource } from '../../builder/build-session.ts';
import type { BuildResult } from '../../builder/builder.ts';
import { EngineError } from '../../errors/engine-error.ts';
import { nowNano } from '../../sys/clock.ts';
import type { SolveRequest } from '../protocol/generated/control_pb.ts';
import { ClientSession, type ClientSessionPorts } from '../session/client-session.ts';
import type { OpenSession, SessionStore } from '../session/session-store.ts';
import { uploadedArchive, uploadPath } from '../session/uploaded-archive.ts';
import { type Attributes, buildRequestOf, cacheSource, cacheTarget } from './build-attributes.ts';
import { buildFailure, unsupportedRequest } from './build-failure.ts';
import type { BuildJob } from './build-job.ts';
import { BuildJobs } from './build-jobs.ts';
import { BuildRefs } from './build-refs.ts';
import { describeRequests, SUBREQUESTS } from './describe-requests.ts';
import { exportsOf } from './exporters.ts';

export interface BuildRunPorts extends ClientSessionPorts {
  builder: BuildBackend;
  sessions: SessionStore;
  /** Folder for what is on its way to a client. */
  scratch: string;
}

/** What a frontend answers: the image it made, or facts by name. */
export interface FrontendAnswer {
  result: BuildResult | undefined;
  facts: Record<string, Uint8Array>;
}

/** A build that its client drives itself: begun by `Control.Solve`, told what to do by the gateway's calls. */
export interface DrivenBuild {
  job: BuildJob;
  request: SolveRequest;
  signal: AbortSignal;
  /** The client has said that it's done, or why it failed. */
  returned: PromiseWithResolvers<void>;
  last: BuildResult | undefined;
  refs: BuildRefs;
  /** Results that go with the build. */
  held: (() => Promise<void>)[];
}

/** Inputs of a frontend by their names. */
export type FrontendInputs = ReadonlyMap<string, NamedContext>;

interface FrontendRequest {
  attributes: Attributes;
  frontend: string;
  inputs: FrontendInputs;
  signal: AbortSignal;
  /** The main context, where the client sent it otherwise than by its session. */
  context?: ContextSource | undefined;
}
const RESULT = { type: 'result', names: [], attributes: {} } as const;
const ANSWERED: ReadonlySet<string> = new Set(SUBREQUESTS.map(({ name }) => name));

/** Runs what clients ask for, under the names that they give it. */
export class BuildRuns {
  readonly jobs = new BuildJobs();
  readonly #ports: BuildRunPorts;
  readonly #driven = new Map<string, DrivenBuild>();

  constructor(ports: BuildRunPorts) {
    this.#ports = ports;
  }

  /** `Control.Solve`: run to its end. Resolves to what exporters tell. `context`: the main one, where the session's isn't meant. @throws GrpcError. */
  async solve(
    request: SolveRequest,
    signal: AbortSignal,
    context?: ContextSource,
  ): Promise<Record<string, string>> {
    if (request.definition !== undefined && request.definition.def.length > 0)
      throw new EngineError('not-implemented', 'building a graph is not implemented; Dockerfiles are');
    const job = this.jobs.begin(request.ref, { isInternal: request.internal });
    try {
      const result =
        request.frontend === ''
          ? await this.#drive(job, request, signal)
          : (
              await this.#frontend(job, request, {
                attributes: request.frontendAttrs,
                frontend: request.frontend,
                signal,
                inputs: new Map(),
                context,
              })
            ).result;
      job.end(result === undefined ? {} : { result }, nowNano());
      return result?.metadata ?? {};
    } catch (error) {
      const failure = buildFailure(error, job.dockerfile);
      job.end({ error: failure }, nowNano());
      throw failure;
    }
  }

  /** The build that a gateway's call is about. @throws EngineError "not-found". */
  async driven(ref: string, signal: AbortSignal): Promise<DrivenBuild> {
    await this.jobs.get(ref, signal);
    const build = this.#driven.get(ref);
    if (build === undefined) throw new EngineError('not-found', `no such job ${ref}`);
    return build;
  }

  /** `LLBBridge.Solve`: one request of a client that drives its build. @throws GrpcError. */
  async step(
    build: DrivenBuild,
    asked: { attributes: Attributes; frontend: string; inputs: FrontendInputs },
    signal: AbortSignal,
  ): Promise<FrontendAnswer> {
    try {
      const both = AbortSignal.any([signal, build.signal]);
      const answer = await this.#frontend(build.job, build.request, { ...asked, signal: both });
      build.last = answer.result ?? build.last;
      const imageId = answer.result?.imageId;
      if (imageId !== undefined) build.refs.add({ type: 'image', reference: imageId });
      if (answer.result?.letGo !== undefined) build.held.push(answer.result.letGo);
      return answer;
    } catch (error) {
      throw buildFailure(error, build.job.dockerfile);
    }
  }

  async #drive(job: BuildJob, request: SolveRequest, signal: AbortSignal): Promise<BuildResult | undefined> {
    signal.throwIfAborted();
    const returned = Promise.withResolvers<void>();
    const refs = new BuildRefs(async (source) => {
      const session = await this.#ports.sessions.get(request.session, signal);
      const client = new ClientSession(session, this.#ports);
      const watch = (event: BuildEvent): void => job.tell(event);
      return await this.#ports.builder.read(source, { session: client, watch, signal });
    });
    const build: DrivenBuild = { job, request, signal, returned, last: undefined, refs, held: [] };
    const onAbort = (): void => returned.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#driven.set(request.ref, build);
    try {
      await returned.promise;
      return build.last;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#driven.delete(request.ref);
      await refs.close();
      for (const letGo of build.held) await letGo().catch(() => undefined);
    }
  }

  async #frontend(job: BuildJob, request: SolveRequest, asked: FrontendRequest): Promise<FrontendAnswer> {
    const { attributes, signal } = asked;
    checkFrontend(asked.frontend, attributes);
    const wanted = attributes.requestid ?? '';
    if (wanted === 'frontend.subrequests.describe') return { result: undefined, facts: describeRequests() };
    if (wanted !== '' && !ANSWERED.has(wanted)) throw unsupportedRequest(wanted);
    const session = await this.#ports.sessions.get(request.session, signal);
    const upload = uploadPath(attributes.context ?? '');
    if (upload === undefined) return await this.#build(job, request, { ...asked, session });
    const archive = uploadedArchive(session, upload, { signal });
    const posted = await this.#ports.builder.receive(
      {
        contexts: new Map([['context', archive]]),
        secrets: new Map(),
        credentials: new Map(),
        outputs: new Map(),
      },
      { signal },
    );
    try {
      const { context: _, ...others } = attributes;
      const local = { dockerfilekey: 'context', ...others };
      const context = posted.context('context');
      return await this.#build(job, request, { ...asked, attributes: local, session, context });
    } finally {
      await posted.close();
    }
  }

  async #build(
    job: BuildJob,
    request: SolveRequest,
    asked: FrontendRequest & { session: OpenSession },
  ): Promise<FrontendAnswer> {
    const { attributes, signal, session } = asked;
    const exported = exportsOf(request, session, this.#ports.scratch);
    // Who drives a build may make its result the input of others.
    const isTree = exported.outputs.every(({ type }) => type === 'local' || type === 'tar');
    const isReferred = request.frontend === '' && isTree;
    const outputs = isReferred ? [...exported.outputs, RESULT] : exported.outputs;
    const build = buildRequestOf(attributes, {
      session: new ClientSession(session, this.#ports, { outputs: exported.sinks, context: asked.context }),
      outputs,
      cacheFrom: (request.cache?.imports ?? []).map(({ type, attrs }) => cacheSource(type, attrs)),
      cacheTo: (request.cache?.exports ?? []).map(({ type, attrs }) => cacheTarget(type, attrs)),
      entitlements: request.entitlements,
      inputs: asked.inputs,
    });
    const result = await this.#ports.builder.build(build, { signal, watch: (event) => job.tell(event) });
    return build.describe === undefined
      ? { result, facts: {} }
      : { result: undefined, facts: encoded(result.metadata) };
  }
}

/** Any version of Docker's own Dockerfile frontend is the one that is built in. */
function checkFrontend(frontend: string, { source = '' }: Attributes): void {
  if (frontend === 'dockerfile.v0') return;
  if (frontend === 'gateway.v0' && /^(docker\.io\/)?docker\/dockerfile(-upstream)?(:|@|$)/.test(source))
    return;
  const named = frontend === 'gateway.v0' ? source : frontend;
  throw new EngineError(
    'not-implemented',
    `frontend ${JSON.stringify(named)} is not implemented; docker/dockerfile is`,
  );
}

function encoded(texts: Readonly<Record<string, string>>): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text)]));
}
