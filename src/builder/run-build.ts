import type { ImageRooms, ImageService } from '../images/image-service.ts';
import type { Lease } from '../images/store/lease-store.ts';
import { formatPlatform, hostPlatform } from '../oci/platform.ts';
import { nowNano } from '../sys/clock.ts';
import { buildFacts } from './attest/build-facts.ts';
import { readProvenanceOptions } from './attest/provenance.ts';
import { checkSbomOptions } from './attest/sbom.ts';
import { BaseImages } from './base-images.ts';
import type { BuildWatcher } from './build-progress.ts';
import type { BuildRequest } from './build-request.ts';
import type { BuildResult } from './builder.ts';
import { checkCacheTargets, exportCache } from './cache/export-cache.ts';
import { checkCacheSource, ImportedCache } from './cache/import-cache.ts';
import type { CheckWarning } from './checks/check-report.ts';
import { builtLayers } from './export/built-layers.ts';
import { BuildExporter } from './export/export-build.ts';
import type { LayerBlobs } from './export/layer-blobs.ts';
import { emptyResult, type PlannedOutput, planOutputs } from './export/planned-output.ts';
import { readEpoch } from './export/source-date-epoch.ts';
import type { BuiltStage } from './export/store-build.ts';
import { type BuildDefinition, loadDefinition } from './load-definition.ts';
import type { BuildPlan } from './plan/build-plan.ts';
import type { PlanRunner } from './plan/plan-job.ts';
import { type PlannedDockerfile, planDockerfile } from './plan-dockerfile.ts';
import { contextSource, requestContexts } from './request-contexts.ts';
import type { SolverPorts } from './solver/build-ports.ts';
import { BuildSolver } from './solver/solve-build.ts';

export interface RunBuildPorts {
  images: ImageService;
  rooms: ImageRooms;
  solver: SolverPorts;
  blobs: LayerBlobs;
  planner: PlanRunner;
}

/** Build once, from the Dockerfile to the outputs. @throws as `Builder.build`. */
export async function runBuild(
  request: BuildRequest,
  ports: RunBuildPorts,
  options: { watch: BuildWatcher; signal: AbortSignal },
): Promise<BuildResult> {
  return await new BuildRun(request, { ...ports, ...options }).run();
}

type RunContext = RunBuildPorts & { watch: BuildWatcher; signal: AbortSignal };

interface Planned {
  plans: readonly BuildPlan[];
  definition: BuildDefinition;
  bases: BaseImages;
  outputs: readonly PlannedOutput[];
  lease: Lease;
}

class BuildRun {
  readonly #request: BuildRequest;
  readonly #context: RunContext;
  readonly #startedNano = nowNano();

  constructor(request: BuildRequest, context: RunContext) {
    this.#request = request;
    this.#context = context;
  }

  async run(): Promise<BuildResult> {
    const { signal, watch, images } = this.#context;
    const { session, pull, platforms, checkOnly } = this.#request;
    signal.throwIfAborted();
    const outputs = this.#checked();
    const definition = await loadDefinition(this.#request, {
      context: () => contextSource({ main: true }, this.#request, this.#context.solver),
      watch,
      signal,
    });
    watch({ type: 'dockerfile', dockerfile: { name: definition.name, data: definition.text } });
    const isPlatformGiven = platforms.length > 0;
    const lease = this.#context.solver.takeLease();
    const { rooms } = this.#context;
    const bases = new BaseImages({ images, rooms, session, pull, isPlatformGiven, lease, watch, signal });
    try {
      const planned = await this.#planned(definition, bases);
      if ('metadata' in planned) return { ...emptyResult(platforms), metadata: planned.metadata };
      const { plans } = planned;
      this.#tellPlans(plans);
      this.#tellWarnings(planned.warnings);
      if (planned.violation !== undefined) throw planned.violation;
      if (checkOnly) return emptyResult(plans.map(({ platform }) => platform));
      return await this.#solve({ plans, definition, bases, outputs, lease });
    } finally {
      bases.release();
      await lease.release();
    }
  }

  /** What can be refused before anything is done is refused. */
  #checked(): PlannedOutput[] {
    const { attestations, cacheTo, cacheFrom } = this.#request;
    const provenance = attestations.get('provenance');
    if (provenance !== undefined) readProvenanceOptions(provenance);
    checkSbomOptions(attestations.get('sbom') ?? {});
    checkCacheTargets(cacheTo);
    for (const source of cacheFrom) checkCacheSource(source);
    return planOutputs(this.#request);
  }

  async #planned(definition: BuildDefinition, bases: BaseImages): Promise<PlannedDockerfile> {
    const { target, buildArgs, noCache, noCacheStages, namedContexts, context, describe, session } =
      this.#request;
    const given = this.#request.platforms;
    const asked = given.length === 0 ? [hostPlatform()] : given;
    const { planner, signal } = this.#context;
    return await planDockerfile(
      {
        name: definition.name,
        text: definition.text,
        ignore: definition.ignore,
        platforms: [...new Map(asked.map((one) => [formatPlatform(one), one])).values()],
        options: {
          target,
          buildArgs,
          buildPlatform: hostPlatform(),
          noCache,
          noCacheStages,
          namedContexts,
          hasContext: context.type !== 'none',
          debug: session.terminal !== undefined,
        },
        describe,
        givenPlatforms: given,
      },
      {
        planner,
        image: async ({ name, layout, platform }) =>
          layout === undefined
            ? await bases.get(name, platform)
            : await bases.ofLayout(name, layout, platform),
        signal,
      },
    );
  }

  #tellPlans(plans: readonly BuildPlan[]): void {
    this.#context.watch({
      type: 'plan',
      declaredArgs: plans.flatMap(({ declaredArgs }) => declaredArgs),
      lines: plans.flatMap((plan) =>
        plan.lines.map(({ code, lines, step }) => ({ code, lines, vertex: step?.id })),
      ),
    });
  }

  /** What the build checks have found. */
  #tellWarnings(warnings: readonly CheckWarning[]): void {
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
  }

  async #solve(planned: Planned): Promise<BuildResult> {
    const { plans, definition, lease } = planned;
    const { solver: ports, watch, signal } = this.#context;
    const { session, network, extraHosts, limits, entitlements } = this.#request;
    const sourceDateEpoch = readEpoch('SOURCE_DATE_EPOCH', this.#request.sourceDateEpoch);
    const contexts = requestContexts(this.#request, { plans, ignore: definition.ignore, ...this.#context });
    const solver = new BuildSolver(ports, {
      session,
      contexts,
      lease,
      network,
      extraHosts,
      limits,
      entitlements: new Set(entitlements),
      sourceDateEpoch,
      imported: await this.#imported(plans),
      watch,
      signal,
    });
    try {
      const stages = await this.#stages(plans, solver);
      return await this.#export(stages, planned, solver);
    } finally {
      await solver.settled();
      await contexts.release();
      solver.release();
    }
  }

  async #imported(plans: readonly BuildPlan[]): Promise<ImportedCache | undefined> {
    const { cacheFrom, session } = this.#request;
    if (cacheFrom.length === 0) return undefined;
    const { watch, signal, rooms } = this.#context;
    const platforms = plans.map(({ platform }) => platform);
    return await ImportedCache.open(cacheFrom, rooms, { session, platforms, watch, signal });
  }

  /** All platforms at once. */
  async #stages(plans: readonly BuildPlan[], solver: BuildSolver): Promise<BuiltStage[]> {
    const { snapshotter } = this.#context.solver;
    return await Promise.all(
      plans.map(async ({ state, platform }): Promise<BuiltStage> => {
        const { chain } = await solver.solve(state.head);
        const layers = await builtLayers(chain, state.base?.chainId, { solver, snapshotter });
        return { platform, state, chain, layers };
      }),
    );
  }

  async #export(stages: readonly BuiltStage[], planned: Planned, solver: BuildSolver): Promise<BuildResult> {
    const { watch, signal, rooms, blobs, images, solver: ports } = this.#context;
    const { lease } = planned;
    const solved = solver.keys;
    const exporter = new BuildExporter(
      { images, rooms, blobs, runs: ports.runs, layers: ports.layers, snapshotter: ports.snapshotter },
      {
        request: this.#request,
        stages,
        solved,
        lease,
        facts: () => buildFacts({ ...planned, request: this.#request, startedNano: this.#startedNano }),
        watch,
        signal,
      },
    );
    let result = emptyResult(stages.map(({ platform }) => platform));
    for (const output of planned.outputs) result = (await exporter.export(output)) ?? result;
    const { session, cacheTo } = this.#request;
    const told: Record<string, string> = {};
    for (const target of cacheTo)
      if (target.type !== 'inline')
        Object.assign(
          told,
          await exportCache(
            target,
            { ...rooms, blobs, layers: ports.layers, mounts: ports.mounts },
            { session, solved, mounts: solver.mounts, stages, lease, watch, signal },
          ),
        );
    return { ...result, metadata: { ...result.metadata, ...told } };
  }
}
