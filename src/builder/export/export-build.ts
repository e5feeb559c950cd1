import { EngineError } from '../../errors/engine-error.ts';
import type { ImageRooms, ImageService } from '../../images/image-service.ts';
import { blobsOf } from '../../images/store/image-record.ts';
import type { Lease } from '../../images/store/lease-store.ts';
import { canonicalName, type Reference } from '../../oci/reference.ts';
import type { Snapshotter } from '../../snapshots/snapshotter.ts';
import { parseBool } from '../../text/parse-bool.ts';
import { type AttestPorts, attestStage } from '../attest/attest-stage.ts';
import type { BuildFacts } from '../attest/provenance.ts';
import type { AttestedFile } from '../attest/statement.ts';
import type { BuildWatcher } from '../build-progress.ts';
import type { BuildRequest } from '../build-request.ts';
import type { BuildResult } from '../builder.ts';
import { inlineCacheOf } from '../cache/inline-cache.ts';
import { EXPORT_STORE } from '../client-blobs.ts';
import type { FileLayerPorts } from '../copy/make-file-layer.ts';
import type { RunPorts } from '../execute/run-ports.ts';
import { type VertexTeller, watched } from '../solver/build-progress-teller.ts';
import type { SolvedKey } from '../solver/solve-build.ts';
import { documentOf } from './image-documents.ts';
import {
  type JoinedTree,
  joinedTrees,
  type NamedDocument,
  platformFolder,
  streamOf,
} from './joined-trees.ts';
import type { LayerBlobs } from './layer-blobs.ts';
import type { PlannedOutput } from './planned-output.ts';
import { redateLayers } from './redate-layers.ts';
import { type BuiltStage, type StoredBuild, storeBuild } from './store-build.ts';
import { writeTree } from './tree-output.ts';

export interface ExportPorts {
  images: ImageService;
  rooms: ImageRooms;
  blobs: LayerBlobs;
  runs: RunPorts;
  layers: FileLayerPorts;
  snapshotter: Snapshotter;
}

export interface ExportContext {
  request: BuildRequest;
  stages: readonly BuiltStage[];
  solved: readonly SolvedKey[];
  lease: Lease;
  /** How it was built, up to now. */
  facts: () => BuildFacts;
  watch: BuildWatcher;
  signal: AbortSignal;
}

/** Brings what was built to where it is wanted. */
export class BuildExporter {
  readonly #ports: ExportPorts;
  readonly #context: ExportContext;

  constructor(ports: ExportPorts, context: ExportContext) {
    this.#ports = ports;
    this.#context = context;
  }

  /** Resolves to what there is to tell of an image; undefined: none was made. */
  async export(planned: PlannedOutput): Promise<BuildResult | undefined> {
    switch (planned.output.type) {
      case 'result':
        return await this.#result(planned);
      case 'image':
        return await this.#image(planned, planned.output);
      case 'local':
      case 'tar':
        await this.#tree(planned, planned.output);
        return undefined;
      case 'oci':
      case 'docker':
        return await this.#archive(planned, planned.output);
    }
  }

  async #image(
    planned: PlannedOutput,
    output: Extract<PlannedOutput['output'], { type: 'image' }>,
  ): Promise<BuildResult> {
    const { images } = this.#ports;
    const { references } = planned;
    return await watched(this.#context.watch, 'exporting to image', async (teller) => {
      const stored = await this.#store(planned, output.push);
      teller.transfer(`writing image ${stored.imageId}`, 0, { done: true });
      if (output.store)
        for (const reference of references) {
          await images.tag(stored.imageId, reference);
          teller.transfer(`naming to ${canonicalName(reference)}`, 0, { done: true });
        }
      if (output.push)
        for (const reference of references) await this.#push(stored, reference, { planned, teller });
      return this.#resultOf(stored, references);
    });
  }

  async #result(planned: PlannedOutput): Promise<BuildResult> {
    const { store } = this.#ports.rooms;
    const before = new Set(store.images().map(({ id }) => id));
    const stored = await this.#store(planned, false);
    const { imageId } = stored;
    const letGo = async (): Promise<void> => {
      if (!before.has(imageId)) await this.#ports.images.discard(imageId);
    };
    return { ...this.#resultOf(stored, []), metadata: {}, letGo };
  }

  async #push(
    { imageId }: StoredBuild,
    reference: Reference,
    { planned, teller }: { planned: PlannedOutput; teller: VertexTeller },
  ): Promise<void> {
    const { signal, request } = this.#context;
    const { insecure, pushByDigest } = planned.options;
    const credentials = await request.session.credentials(reference.domain, { signal });
    const target = pushByDigest ? { ...reference, tag: undefined } : reference;
    const name = canonicalName(reference);
    await this.#ports.images.pushAs(
      imageId,
      { reference: target, platform: undefined, credentials, ...(insecure ? { tlsVerify: false } : {}) },
      {
        signal,
        progress: (line) => {
          if (!('status' in line) || line.id === undefined || line.current === undefined) return;
          teller.transfer(`pushing layer ${line.id}`, line.current, { total: line.total ?? 0 });
        },
      },
    );
    teller.transfer(`pushing manifest for ${name}`, 0, { done: true });
  }

  async #tree(
    { options }: PlannedOutput,
    output: Extract<PlannedOutput['output'], { type: 'local' | 'tar' | 'oci' | 'docker' }>,
  ): Promise<void> {
    const { watch, signal, stages, request } = this.#context;
    const sink = request.session.output(output.id);
    const title = output.type === 'local' ? 'exporting to client directory' : 'exporting to client tarball';
    const isAsked = parseBool(request.buildArgs.get('BUILDKIT_MULTI_PLATFORM') ?? '') === true;
    const isSplit = options.platformSplit ?? (stages.length > 1 || isAsked);
    const isAttested = [...request.attestations.values()].some((one) => one['inline-only'] !== 'true');
    const [first] = stages;
    const ports = this.#ports.runs;
    await watched(watch, title, async () => {
      const { epoch } = options;
      if (stages.length === 1 && !isSplit && !isAttested && epoch === undefined)
        return await writeTree(first?.chain, sink, { ports, signal });
      const trees = stages.map((stage): JoinedTree => {
        const folder = platformFolder(stage.platform);
        const shown = stages.length > 1 && !isSplit ? `.${folder}` : '';
        return {
          chain: stage.chain,
          prefix: isSplit ? folder : '',
          attest: isAttested
            ? async (files) => await this.#treeDocuments(stage, files, { options, shown })
            : undefined,
        };
      });
      await sink.write(joinedTrees(trees, { ports, epoch, signal }), { signal });
    });
  }

  /** What is said of a tree's files, under BuildKit's names. */
  async #treeDocuments(
    stage: BuiltStage,
    files: readonly AttestedFile[],
    { options, shown }: { options: PlannedOutput['options']; shown: string },
  ): Promise<NamedDocument[]> {
    // A tree has no manifest; what names it instead is what is in it.
    const { descriptor } = documentOf('', files);
    const about = { references: [], takesDefaults: false, files, epoch: options.epoch };
    return (await attestStage(stage, descriptor, { ...about, ...this.#attesting() })).map(
      ({ predicateType, bytes }) => {
        const kind = predicateType.startsWith('https://slsa.dev/') ? 'provenance' : 'sbom.spdx';
        return { name: `${options.attestationPrefix}${kind}${shown}.json`, bytes };
      },
    );
  }

  /** By way of the engine's images, without a name among them. */
  async #archive(
    planned: PlannedOutput,
    output: Extract<PlannedOutput['output'], { type: 'local' | 'tar' | 'oci' | 'docker' }>,
  ): Promise<BuildResult> {
    const { watch, signal, request } = this.#context;
    const { references } = planned;
    return await watched(watch, `exporting to ${output.type} image format`, async (teller) => {
      const stored = await this.#store(planned, true);
      teller.transfer(`exporting manifest ${stored.imageId}`, 0, { done: true });
      if (planned.options.asLayout) {
        await this.#layout(stored, teller);
        return this.#resultOf(stored, references);
      }
      const wanted = { names: [stored.imageId], platforms: [], as: references };
      const archive = await this.#ports.images.save(wanted);
      await request.session.output(output.id).write(streamOf(archive), { signal });
      return this.#resultOf(stored, references);
    });
  }

  /** Every blob to the client's layout, what names the others last. The client writes the index. */
  async #layout({ imageId }: StoredBuild, teller: VertexTeller): Promise<void> {
    const { request, signal } = this.#context;
    const { content, store } = this.#ports.rooms;
    const image = store.image(imageId);
    if (image === undefined) throw new EngineError('internal', `Image ${imageId} is gone`);
    const client = request.session.blobs(EXPORT_STORE);
    for (const digest of [...new Set(blobsOf(image))].reverse()) {
      const size = await content.size(digest);
      if (size === undefined) throw new EngineError('not-found', `content ${digest}: not found`);
      await client.write({ mediaType: '', digest, size }, () => content.stream(digest), { signal });
    }
    teller.transfer('copying to the layout', 0, { done: true });
  }

  /** `leaves`: it is for others, and compressed unless the output says otherwise. */
  async #store({ options, references, output }: PlannedOutput, leaves: boolean): Promise<StoredBuild> {
    const { request, stages, solved, lease, signal } = this.#context;
    const { rooms, blobs } = this.#ports;
    const { labels, cacheTo } = request;
    const { epoch, rewriteTimestamp } = options;
    const isInline = cacheTo.some(({ type }) => type === 'inline');
    const isAttested = [...request.attestations.values()].some((one) => one['inline-only'] !== 'true');
    // What is said of a manifest holds for that one alone: it gets the form in which it will leave.
    const compression = options.compression ?? (leaves || isAttested ? 'gzip' : 'uncompressed');
    const takesDefaults = leaves && output.type !== 'docker';
    const attesting = this.#attesting();
    const dated = rewriteTimestamp ? await this.#redated(epoch) : stages;
    return await storeBuild(
      dated,
      {
        output: { ...options, compression },
        labels,
        epoch,
        inlineCache: (stage, layers) => (isInline ? inlineCacheOf(stage, layers, solved) : undefined),
        attest: (stage, manifest) =>
          attestStage(stage, manifest, { references, takesDefaults, epoch, ...attesting }),
        signal,
      },
      { content: rooms.content, store: rooms.store, blobs, lease },
    );
  }

  #attesting(): AttestPorts {
    const { request, facts } = this.#context;
    return { attestations: request.attestations, facts, snapshotter: this.#ports.snapshotter };
  }

  async #redated(latest: number | undefined): Promise<readonly BuiltStage[]> {
    const { watch, lease, signal, stages } = this.#context;
    if (latest === undefined) {
      const short = 'rewrite-timestamp is specified, but no source-date-epoch was found';
      watch({ type: 'warning', warning: { vertex: undefined, level: 1, short, detail: [], url: '' } });
      return stages;
    }
    const title = `rewriting layers with source-date-epoch ${latest}`;
    const { layers: ports } = this.#ports;
    return await watched(watch, title, async () =>
      Promise.all(stages.map((stage) => redateLayers(stage, latest, { ports, lease, signal }))),
    );
  }

  #resultOf({ imageId, root, configDigest }: StoredBuild, references: readonly Reference[]): BuildResult {
    const { mediaType, digest, size } = root;
    const described = Buffer.from(JSON.stringify({ mediaType, digest, size })).toString('base64');
    return {
      imageId,
      descriptor: root,
      configDigest,
      platforms: this.#context.stages.map(({ platform }) => platform),
      metadata: {
        'containerimage.digest': imageId,
        'containerimage.descriptor': described,
        ...(configDigest === undefined ? {} : { 'containerimage.config.digest': configDigest }),
        ...(references.length === 0 ? {} : { 'image.name': references.map(canonicalName).join(',') }),
      },
    };
  }
}
