import { hostname } from 'node:os';
import { join } from 'node:path';
import type { ContextTree } from '../builder/build-session.ts';
import type { Builder } from '../builder/builder.ts';
import type { FilePlace } from '../builder/sources/file-place.ts';
import { FileTree } from '../builder/sources/file-tree.ts';
import { BuildkitEndpoint } from '../buildkit/buildkit-endpoint.ts';
import { ContextDirectories, type ReceivedContext } from '../buildkit/filesync/context-directories.ts';
import type { Logger } from '../errors/logger.ts';
import { hostPlatform } from '../oci/platform.ts';
import { buildInfo } from './build-info.ts';

export interface BuildkitRooms {
  dataRoot: string;
  builder: Builder;
  /** Tells this engine from others. */
  engineId: string;
  hostGatewayIp: string;
  logger: Logger;
}

/** BuildKit's protocol in front of the engine's builder. */
export async function openBuildkit(rooms: BuildkitRooms): Promise<BuildkitEndpoint> {
  const directory = join(rooms.dataRoot, 'builder');
  const contexts = new ContextDirectories(join(directory, 'synced'));
  await contexts.recover();
  return new BuildkitEndpoint({
    builder: rooms.builder,
    contexts,
    openDirectory,
    scratch: join(directory, 'outgoing'),
    worker: {
      id: rooms.engineId,
      hostname: hostname(),
      platforms: [hostPlatform()],
      hostGatewayIp: rooms.hostGatewayIp,
      version: buildInfo.version,
    },
    logger: rooms.logger,
  });
}

function openDirectory(received: ReceivedContext): ContextTree {
  const { directory, digests } = received;
  const place: FilePlace = { kind: 'directory', path: directory, digests };
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
