import { rm } from 'node:fs/promises';
import { readIgnoreFile } from '../archive/ignore-file.ts';
import { PatternMatcher } from '../archive/pattern-matcher.ts';
import type { LocalContentStore } from '../content/local-content-store.ts';
import { EngineError } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import type { ImageService } from '../images/image-service.ts';
import type { GcRoots, Lease } from '../images/lease-store.ts';
import { hostPlatform, type Platform } from '../oci/platform.ts';
import {
  canonicalName,
  familiarName,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../oci/reference.ts';
import { BaseImages } from './base-images.ts';
import type { BuildBackend, PostedBuild } from './build-backend.ts';
import { atLines } from './build-error.ts';
import type { BuildWatcher } from './build-progress.ts';
import type { BuildOutput, BuildRequest } from './build-request.ts';
import type { ContextSource } from './build-session.ts';
import type { BuildCachePrune, BuildCacheRecord, BuildResult } from './builder.ts';
import { checkDockerfile } from './checks/check-dockerfile.ts';
import { builtLayers } from './export/built-layers.ts';
import { builtConfig } from './export/image-config.ts';
import { type StoredBuild, storeBuild } from './export/image-output.ts';
import { writeTree } from './export/tree-output.ts';
import { readInstructions } from './instructions/read-instructions.ts';
import { loadDockerfile, loadIgnoreFile } from './load-dockerfile.ts';
import { parseDockerfile } from './parser/parse-dockerfile.ts';
import type { BuildPlan } from './plan/build-plan.ts';
import type { ContextName } from './plan/build-step.ts';
import { planBuild } from './plan/plan-build.ts';
import { PostedSession } from './posted-session.ts';
import { BuildContexts } from './solver/build-contexts.ts';
import type { SolverPorts } from './solver/build-ports.ts';
import { watched } from './solver/build-progress-teller.ts';
import { type CacheLimits, CachePruner } from './solver/prune-cache.ts';
import { BuildSolver } from './solver/solve-build.ts';
import { ArchiveContext } from './sources/archive-context.ts';

export interface BuildServiceOptions {
  images: ImageService;
  content: LocalContentStore;
  solver: SolverPorts;
  limits: CacheLimits;
  /** For contexts that are being built; emptied at start. */
  contextsDirectory: string;
  logger: Logger;
}

/** Builds by Dockerfiles. */
export class BuildService implements BuildBackend {
  readonly #options: BuildServiceOptions;
  readonly #pruner: CachePruner;
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(options: BuildServiceOptions) {
    const { solver, images, limits } = options;
    this.#options = options;
    this.#pruner = new CachePruner({ solver, limits, collect: (roots) => images.collect(roots) });
  }

  async build(
    request: BuildRequest,
    options: { signal: AbortSignal; watch: BuildWatcher },
  ): Promise<BuildResult> {
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    const building = new Build(request, { ...this.#options, watch: options.watch, signal }).run();
    this.#running.add(building);
    try {
      return await building;
    } catch (error) {
      throw atLines(error, undefined);
    } finally {
      this.#running.delete(building);
      this.#pruner.keepLimits().catch((error: unknown) => {
        this.#options.logger.warn('cannot keep the build cache in its limits', { error: String(error) });
      });
    }
  }

  async cache(): Promise<BuildCacheRecord[]> {
    return await this.#pruner.list();
  }

  async pruneCache(
    prune: BuildCachePrune,
    options: { signal: AbortSignal; pruned?: (record: BuildCacheRecord) => void },
  ): Promise<{ deleted: string[]; reclaimedBytes: number }> {
    return await this.#pruner.prune(prune, options);
  }

  async receive(posted: PostedBuild, options: { signal: AbortSignal }): Promise<PostedSession> {
    const contexts = new Map<string, ArchiveContext>();
    const ports = { directory: this.#options.contextsDirectory, files: this.#options.solver.layers.files };
    try {
      for await (const [name, body] of posted.contexts)
        contexts.set(name, await ArchiveContext.receive(body, ports, options));
      return new PostedSession({ ...posted, contexts });
    } catch (error) {
      await Promise.all([...contexts.values()].map((context) => context.close()));
      throw error;
    }
  }

  /** What a collection of images must leave alone. */
  roots(): GcRoots {
    return this.#options.solver.store.roots();
  }

  /** What a dead daemon left of builds and containers' recovery does not know. */
  async recover(): Promise<void> {
    await rm(this.#options.contextsDirectory, { recursive: true, force: true });
    await this.#options.solver.mounts.recover();
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#closing.abort(new EngineError('unavailable', 'the engine is shutting down'));
    await Promise.allSettled(this.#running);
    await this.#options.solver.layers.files.close();
    await this.#options.solver.store.close();
  }
}

interface BuildContext extends BuildServiceOptions {
  watch: BuildWatcher;
  signal: AbortSignal;
}

/** One build, from its Dockerfile to its outputs. */
class Build {
  readonly #request: BuildRequest;
  readonly #context: BuildContext;

  constructor(request: BuildRequest, context: BuildContext) {
    this.#request = request;
    this.#context = context;
  }

  async run(): Promise<BuildResult> {
    const { signal, watch, images } = this.#context;
    signal.throwIfAborted();
    const references = this.#references();
    const definition = await this.#loadDefinition();
    watch({ type: 'dockerfile', dockerfile: { name: definition.name, data: definition.text } });
    const dockerfile = readInstructions(parseDockerfile(definition.text));
    const bases = new BaseImages({
      images,
      session: this.#request.session,
      pull: this.#request.pull,
      isPlatformGiven: this.#request.platforms.length > 0,
      watch,
      signal,
    });
    const lease = this.#context.solver.takeLease();
    try {
      const [platform = hostPlatform(), ...more] = this.#request.platforms;
      if (more.length > 0)
        throw new EngineError(
          'not-implemented',
          'Multi-platform build is not supported yet: name one platform',
        );
      const plan = await planBuild(dockerfile, this.#planOptions(platform), {
        baseImage: (name, wanted) => bases.get(name, wanted),
      });
      watch({
        type: 'plan',
        lines: plan.lines.map(({ code, lines, step }) => ({ code, lines, vertex: step?.id })),
      });
      this.#check(definition, plan, bases.known);
      if (this.#request.checkOnly) return emptyResult(plan.platform);
      return await this.#solve(plan, { references, lease, ignore: definition.ignore });
    } finally {
      bases.release();
      await lease.release();
    }
  }

  /** Tell what the build checks find. @throws DockerfileError where the file says that findings are errors. */
  #check(
    { text, ignore }: { text: Uint8Array; ignore: string[] },
    plan: BuildPlan,
    baseImages: BaseImages['known'],
  ): void {
    const { buildArgs, target } = this.#request;
    const { warnings, error } = checkDockerfile(text, {
      buildPlatform: hostPlatform(),
      targetPlatform: plan.platform,
      buildArgs,
      target,
      baseImages,
      stages: plan.stages,
      ...(ignore.length === 0 ? {} : { ignored: new PatternMatcher(ignore) }),
    });
    for (const { rule, detail, description, url, range } of warnings)
      this.#context.watch({
        type: 'warning',
        warning: {
          vertex: undefined,
          level: 1,
          short: `${rule}: ${detail} (line ${range.startLine})`,
          detail: [description],
          url,
          lines: { start: range.startLine, end: range.endLine },
        },
      });
    if (error !== undefined) throw error;
  }

  /** Names of all image outputs. @throws EngineError "invalid". */
  #references(): Map<BuildOutput, Reference[]> {
    return new Map(
      this.#request.outputs.map((output) => [
        output,
        output.names.map((name) => {
          const reference = parseReference(name);
          if (reference.digest !== undefined)
            throw new EngineError('invalid', 'refusing to create a tag with a digest reference');
          return withDefaultTag(reference);
        }),
      ]),
    );
  }

  #planOptions(platform: Platform): Parameters<typeof planBuild>[1] {
    const { target, buildArgs, noCache, noCacheStages, namedContexts, context, platforms } = this.#request;
    return {
      target,
      buildArgs,
      platform,
      buildPlatform: hostPlatform(),
      namesPlatform: platforms.length > 1,
      noCache,
      noCacheStages,
      namedContexts,
      hasContext: context.type !== 'none',
    };
  }

  #source(name: ContextName): ContextSource {
    const { context, session } = this.#request;
    if (!name.main) return session.context(name.name);
    if (context.type !== 'remote') return session.context('context');
    const { url } = context;
    return { open: (want, { signal }) => this.#context.solver.remote.context(url, { signal, want }) };
  }

  async #loadDefinition(): Promise<{ name: string; text: Uint8Array; ignore: string[] }> {
    const { dockerfile, session, context } = this.#request;
    const { signal, watch } = this.#context;
    // Side by side where that is a message each way, as most have no ignore file of the Dockerfile's own.
    const early = context.type === 'local' ? this.#loadSharedIgnore() : undefined;
    early?.catch(() => undefined);
    const title = dockerfile.from === 'text' ? 'Dockerfile' : dockerfile.path;
    const loaded = await watched(watch, `[internal] load build definition from ${title}`, async (teller) => {
      if (dockerfile.from === 'text') return { text: dockerfile.text, ignore: undefined };
      const source =
        dockerfile.from === 'session' ? session.context('dockerfile') : this.#source({ main: true });
      const received = (bytes: number): void => teller.transfer('transferring dockerfile:', bytes);
      return await loadDockerfile(source, dockerfile.path, { signal, received });
    }).catch(async (error: unknown) => {
      await early?.catch(() => undefined);
      throw error;
    });
    if (loaded.ignore !== undefined) await early?.catch(() => undefined);
    if (loaded.ignore !== undefined)
      return { name: title, text: loaded.text, ignore: readIgnoreFile(loaded.ignore) };
    const ignore = await (early ?? this.#loadSharedIgnore());
    return { name: title, text: loaded.text, ignore: ignore === undefined ? [] : readIgnoreFile(ignore) };
  }

  /** The context's own, unless its client has applied it. */
  async #loadSharedIgnore(): Promise<Uint8Array | undefined> {
    const { context, isContextFiltered } = this.#request;
    const { signal, watch } = this.#context;
    if (context.type === 'none' || isContextFiltered === true) return undefined;
    return await watched(watch, '[internal] load .dockerignore', async (teller) => {
      const received = (bytes: number): void => teller.transfer('transferring context:', bytes);
      return await loadIgnoreFile(this.#source({ main: true }), { signal, received });
    });
  }

  async #solve(
    plan: BuildPlan,
    {
      references,
      lease,
      ignore,
    }: { references: Map<BuildOutput, Reference[]>; lease: Lease; ignore: string[] },
  ): Promise<BuildResult> {
    const { solver: ports, watch, signal } = this.#context;
    const { session, network, extraHosts, limits, entitlements, sourceDateEpoch } = this.#request;
    const contexts = new BuildContexts({
      source: (name) => this.#source(name),
      ignore,
      paths: plan.contexts,
      signal,
      watch: async (name, opening) =>
        await watched(
          watch,
          name.main ? '[internal] load build context' : `[context ${name.name}] load from client`,
          async (teller) => await opening((bytes) => teller.transfer('transferring context:', bytes)),
        ),
    });
    const solver = new BuildSolver(ports, {
      session,
      contexts,
      lease,
      network,
      extraHosts,
      limits,
      entitlements: new Set(entitlements),
      sourceDateEpoch,
      watch,
      signal,
    });
    try {
      const { chain } = await solver.solve(plan.state.head);
      const built = { chain, lease, plan, solver };
      let result: BuildResult = emptyResult(plan.platform);
      for (const output of this.#request.outputs)
        result = await this.#export(output, references.get(output) ?? [], { ...built, result });
      return result;
    } finally {
      await solver.settled();
      await contexts.release();
      solver.release();
    }
  }

  async #export(
    output: BuildOutput,
    references: readonly Reference[],
    built: BuiltTree & { result: BuildResult },
  ): Promise<BuildResult> {
    if (output.type === 'image') return await this.#exportImage(output, references, built);
    if (output.type === 'local' || output.type === 'tar') {
      const title = output.type === 'local' ? 'exporting to client directory' : 'exporting to client tarball';
      await watched(this.#context.watch, title, async () => {
        await writeTree(built.chain, this.#request.session.output(output.id), {
          ports: this.#context.solver.runs,
          signal: this.#context.signal,
        });
      });
      return built.result;
    }
    return await this.#exportArchive(output, references, built);
  }

  async #exportImage(
    output: Extract<BuildOutput, { type: 'image' }>,
    references: readonly Reference[],
    built: BuiltTree & { result: BuildResult },
  ): Promise<BuildResult> {
    const { watch, images, signal } = this.#context;
    const { session } = this.#request;
    return await watched(watch, 'exporting to image', async (teller) => {
      const stored = await this.#store(built);
      teller.transfer(`writing image ${stored.imageId}`, 0, { done: true });
      for (const reference of references) {
        await images.tag(stored.imageId, reference);
        teller.transfer(`naming to ${canonicalName(reference)}`, 0, { done: true });
      }
      if (output.push)
        for (const reference of references) {
          const credentials = await session.credentials(reference.domain, { signal });
          const options = { signal, progress: (): void => undefined };
          await images.push({ reference, platform: undefined, credentials }, options);
          teller.transfer(`pushing manifest for ${canonicalName(reference)}`, 0, { done: true });
        }
      return resultOf(stored, { references, platform: built.plan.platform });
    });
  }

  /** By way of the engine's images, from which it is saved. */
  async #exportArchive(
    output: Extract<BuildOutput, { type: 'local' | 'tar' | 'oci' | 'docker' }>,
    references: readonly Reference[],
    built: BuiltTree & { result: BuildResult },
  ): Promise<BuildResult> {
    const { watch, images, signal } = this.#context;
    return await watched(watch, `exporting to ${output.type} image format`, async () => {
      const stored = await this.#store(built);
      for (const reference of references) await images.tag(stored.imageId, reference);
      const names = references.length === 0 ? [stored.imageId as string] : references.map(familiarName);
      const archive = await images.save({ names, platforms: [] });
      await this.#request.session.output(output.id).write(streamOf(archive), { signal });
      return resultOf(stored, { references, platform: built.plan.platform });
    });
  }

  async #store({ chain, lease, plan, solver }: BuiltTree): Promise<StoredBuild> {
    const { images, content } = this.#context;
    const { snapshotter } = this.#context.solver;
    const { labels, sourceDateEpoch } = this.#request;
    const layers = await builtLayers(chain, plan.state.base?.chainId, { solver, snapshotter });
    const config = builtConfig({ state: plan.state, layers, labels, sourceDateEpoch });
    const ports = { content, store: images.forBuilds().store, lease };
    return await storeBuild({ config, base: plan.state.base, layers }, ports);
  }
}

function streamOf(pieces: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await iterator.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

interface BuiltTree {
  chain: Parameters<typeof builtLayers>[0];
  lease: Lease;
  plan: BuildPlan;
  solver: BuildSolver;
}

function emptyResult(platform: Platform): BuildResult {
  return {
    imageId: undefined,
    descriptor: undefined,
    configDigest: undefined,
    platforms: [platform],
    metadata: {},
  };
}

function resultOf(
  { imageId, manifest, configDigest }: StoredBuild,
  { references, platform }: { references: readonly Reference[]; platform: Platform },
): BuildResult {
  return {
    imageId,
    descriptor: manifest,
    configDigest,
    platforms: [platform],
    metadata: {
      'containerimage.digest': imageId,
      'containerimage.config.digest': configDigest,
      ...(references.length === 0 ? {} : { 'image.name': references.map(canonicalName).join(',') }),
    },
  };
}
