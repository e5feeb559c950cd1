import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { BlobKeeper } from '../../registry/server/blob-backend.ts';
import {
  type CollectionReport,
  type CollectionRequest,
  collectGarbage,
} from '../../registry/server/gc/collect-garbage.ts';
import type { RegistryRoot } from './registry-root.ts';

export interface ControlPorts {
  root: RegistryRoot;
  keeper: BlobKeeper;
  logger: Logger;
}

const SOCKET = 'control.sock';
/** sockaddr_un(7): with the closing zero. */
const MAX_SOCKET_PATH = 107;

/**
 * Take `registry gc` while the registry runs, on a socket in its folder that the folder's owner alone reaches. A path too long for a socket goes without, with a
 * warning.
 */
export async function serveControl(ports: ControlPorts): Promise<{ close(): Promise<void> }> {
  const path = join(ports.root.path, SOCKET);
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    ports.logger.warn("the registry's folder has too long a path for its control socket", { path });
    return { close: async () => undefined };
  }
  await rm(path, { force: true });
  const server = Bun.serve({ unix: path, fetch: (request) => answer(request, ports), development: false });
  await chmod(path, 0o600);
  return {
    close: async () => {
      await server.stop(true);
      await rm(path, { force: true });
    },
  };
}

async function answer(request: Request, { root, keeper, logger }: ControlPorts): Promise<Response> {
  if (request.method !== 'POST' || new URL(request.url).pathname !== '/gc')
    return Response.json({ message: 'not found' }, { status: 404 });
  try {
    const asked = (await request.json()) as CollectionRequest;
    const ports = { store: root.content, index: root.pushed, keeper, logger };
    return Response.json(await collectGarbage(ports, asked));
  } catch (error) {
    return Response.json({ message: messageOf(error) }, { status: 500 });
  }
}

/**
 * Have the process that serves the folder collect.
 *
 * @throws EngineError "unavailable" when it can't be reached.
 */
export async function collectRemotely(
  rootPath: string,
  request: CollectionRequest,
): Promise<CollectionReport> {
  let response: Response;
  try {
    response = await fetch('http://registry/gc', {
      unix: join(rootPath, SOCKET),
      method: 'POST',
      body: JSON.stringify(request),
    });
  } catch (error) {
    throw new EngineError(
      'unavailable',
      `Cannot reach the process that uses ${rootPath}: ${messageOf(error)}`,
      { hint: 'An engine takes `registry gc` while it serves its registry (--embedded-registry).' },
    );
  }
  const body = (await response.json()) as CollectionReport & { message?: string };
  if (!response.ok)
    throw new EngineError('internal', `Cannot collect: ${body.message ?? `status ${response.status}`}`);
  return body;
}
