import { hostname } from 'node:os';
import { join } from 'node:path';
import type { BuildService } from '../builder/build-service.ts';
import type { ContextTree } from '../builder/build-session.ts';
import type { FilePlace } from '../builder/sources/file-place.ts';
import { FileTree } from '../builder/sources/file-tree.ts';
import { ContextDirectories, type ReceivedContext } from '../buildkit/filesync/context-directories.ts';
import type { Logger } from '../errors/logger.ts';
import { buildInfo } from './build-info.ts';
import { LazyBuildkit } from './lazy-buildkit.ts';
import { runnablePlatforms } from './runnable-platforms.ts';

export interface BuildkitRooms {
  dataRoot: string;
  builder: BuildService;
  /** Tells this engine from others. */
  engineId: string;
  hostGatewayIp: () => Promise<string | undefined>;
  logger: Logger;
}

/** BuildKit's protocol in front of the engine's builder. */
export async function openBuildkit(rooms: BuildkitRooms): Promise<LazyBuildkit> {
  const directory = join(rooms.dataRoot, 'builder');
  const contexts = new ContextDirectories(join(directory, 'synced'));
  await contexts.recover();
  rooms.builder.keeps(contexts);
  const worker = {
    id: rooms.engineId,
    hostname: hostname(),
    platforms: runnablePlatforms,
    hostGatewayIp: rooms.hostGatewayIp,
    version: buildInfo.version,
  };
  const { builder, logger } = rooms;
  const scratch = join(directory, 'outgoing');
  return new LazyBuildkit(async () => {
    const { BuildkitEndpoint } = await import('../buildkit/buildkit-endpoint.ts');
    return new BuildkitEndpoint({ builder, contexts, openDirectory, scratch, worker, logger });
  }, logger);
}

function openDirectory(received: ReceivedContext): ContextTree {
  const { directory, digests, version } = received;
  const place: FilePlace = { kind: 'directory', path: directory, digests, version };
  const tree = new FileTree(place);
  return {
    tree,
    place,
    directory,
    release: async () => {
      await tree.close();
      await received.release();
    },
  };
}
