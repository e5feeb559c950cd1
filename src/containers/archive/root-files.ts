import { EngineError } from '../../errors/engine-error.ts';
import { applyChanges } from '../../images/making/import-changes.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageProcessConfig } from '../../oci/image-config.ts';
import { familiarName, withDefaultTag } from '../../oci/reference.ts';
import type { ReadRequest, WrittenNode } from '../../snapshots/reading/read-request.ts';
import { readRoot } from '../../snapshots/reading/read-root.ts';
import type { ContainerConfig } from '../container.ts';
import type { ContainerCommit } from '../container-backend.ts';
import { publishContainerEvent } from '../container-events.ts';
import { mergeConfig } from '../creation/creation.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer } from '../live-container.ts';
import { snapshotKeyOf } from '../tasks/task-starter.ts';
import { compareWritten, type WrittenFiles } from './file-changes.ts';

/** The container's whole root as a tar: as it is mounted while it runs, else by a mount that only the reading process sees. */
export async function exportRoot(
  container: LiveContainer,
  deps: ContainerDependencies,
  signal: AbortSignal,
): Promise<ReadableStream<Uint8Array>> {
  refuseGone(container, 'export');
  const request: ReadRequest =
    container.task === undefined
      ? { form: 'tree', root: await deps.snapshotter.view(snapshotKeyOf(container.id)), laidOut: true }
      : // Only what is mounted for a run has the host's ids.
        { form: 'tree', root: deps.paths.rootfs(container.id), idMap: container.record.idMap };
  const tar = readRoot(request, signal);
  return tar.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      flush: () => publishContainerEvent(deps.events, container.record, 'export'),
    }),
  );
}

/** What the container has written, compared with its image. */
export async function writtenFiles(
  container: LiveContainer,
  deps: ContainerDependencies,
  signal: AbortSignal,
): Promise<WrittenFiles> {
  const root = await deps.snapshotter.upperDirectory(snapshotKeyOf(container.id));
  const nodes = await parseNodes(readRoot({ form: 'list', root }, signal));
  const { chainId } = container.record.image;
  const image = chainId === undefined ? undefined : await deps.snapshotter.tree(chainId);
  try {
    return await compareWritten(nodes, image);
  } finally {
    await image?.close();
  }
}

/** More names than any container should write; each costs memory here. */
const MAX_NODES = 5_000_000;

async function parseNodes(lines: ReadableStream<Uint8Array>): Promise<WrittenNode[]> {
  const nodes: WrittenNode[] = [];
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of lines) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) nodes.push(JSON.parse(line) as WrittenNode);
    if (nodes.length > MAX_NODES)
      throw new EngineError('invalid', `container has written more than ${MAX_NODES} files`, {
        code: 'size-exceeded',
      });
  }
  return nodes;
}

/**
 * Make an image of the container as it is now. The caller has paused it if that was wished.
 *
 * @throws EngineError "invalid" for a bad change, "conflict" while it is being removed.
 */
export async function commitContainer(
  container: LiveContainer,
  request: ContainerCommit,
  { deps, signal }: { deps: ContainerDependencies; signal: AbortSignal },
): Promise<Digest> {
  refuseGone(container, 'commit');
  const { record } = container;
  const config = committedConfig(request, record.config);
  const { changes, unchanged } = await writtenFiles(container, deps, signal);
  const root = await deps.snapshotter.upperDirectory(snapshotKeyOf(container.id));
  const layer = changes.length === 0 ? undefined : readRoot({ form: 'layer', root, skip: unchanged }, signal);
  const { comment, author, reference } = request;
  const id = await deps.images.commit(
    {
      parent: record.image,
      layer,
      config,
      createdBy: (record.config.cmd ?? []).join(' '),
      author,
      comment,
      reference,
    },
    { signal },
  );
  const imageRef = reference === undefined ? '' : familiarName(withDefaultTag(reference));
  publishContainerEvent(deps.events, record, 'commit', { attributes: { comment, imageID: id, imageRef } });
  return id;
}

/** Docker's rule: what was asked for, changed by the instructions, with the container's own for what is left open. */
function committedConfig({ config, changes }: ContainerCommit, own: ContainerConfig): ImageProcessConfig {
  const changed = applyChanges(processConfigOf(config ?? own), changes);
  // An entrypoint that comes without a command makes no sense with the old one.
  const names = changes
    .flatMap((change) => change.split('\n'))
    .map((line) => /^\s*(\w*)/.exec(line)?.[1]?.toUpperCase());
  if (names.includes('ENTRYPOINT') && !names.includes('CMD')) changed.cmd = undefined;
  return processConfigOf(mergeConfig({ ...own, ...changed }, processConfigOf(own)));
}

function processConfigOf(config: ContainerConfig): ImageProcessConfig {
  const { user, env, entrypoint, cmd, workingDir, exposedPorts, volumes, labels } = config;
  const { stopSignal, shell, onBuild, healthcheck } = config;
  return {
    user,
    env,
    entrypoint,
    cmd,
    workingDir,
    exposedPorts,
    volumes,
    labels,
    stopSignal,
    shell,
    onBuild,
    healthcheck,
    argsEscaped: false,
  };
}

function refuseGone(container: LiveContainer, verb: string): void {
  if (container.removing)
    throw new EngineError('conflict', `You cannot ${verb} container ${container.id} which is being removed`);
}
