import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import type { EngineClient } from '../engine-client.ts';
import type { ProgressMessage } from '../model.ts';
import { throwFailure } from './images.ts';
import { packLocal } from './tar-writer.ts';

export interface BuildImageOptions {
  tags?: readonly string[];
  /** Below the folder; `Dockerfile`. */
  dockerfile?: string;
  target?: string;
  args?: Readonly<Record<string, string>>;
  labels?: Readonly<Record<string, string>>;
  platform?: string;
  noCache?: boolean;
  pull?: boolean;
  /** Whether a path below the folder is sent; a folder that isn't is not looked into. */
  wants?: (path: string, isFolder: boolean) => boolean;
  /** What the build prints. */
  onOutput?: (text: string) => void;
  signal?: AbortSignal;
}

/**
 * Build an image of a folder of this machine by the classic call, `POST /build`, which every daemon has.
 *
 * Sampan's daemon reads `.dockerignore` itself; for another one such a folder needs `wants`.
 *
 * @returns the image's ID. @throws EngineError "internal" with the build's last words.
 */
export async function buildImage(
  client: EngineClient,
  folder: string,
  options: BuildImageOptions,
): Promise<string> {
  const { wants, onOutput, signal } = options;
  if (wants === undefined && (await exists(join(folder, '.dockerignore'))))
    await client.connection.requireSampan('read .dockerignore');
  const messages = client.connection.jsonLines<ProgressMessage>('POST', '/build', {
    query: buildQuery(options),
    body: packLocal(folder, { name: '', ...(wants === undefined ? {} : { wants }) }),
    contentType: 'application/x-tar',
    signal,
  });
  let id: string | undefined;
  for await (const message of messages) {
    throwFailure(message);
    if (message.stream !== undefined) onOutput?.(message.stream);
    id = imageId(message.aux) ?? id;
  }
  if (id === undefined) throw new EngineError('internal', 'The build ended without an image');
  return id;
}

function buildQuery(options: BuildImageOptions) {
  const map = (values: Readonly<Record<string, string>> | undefined) => values && JSON.stringify(values);
  return {
    t: options.tags ?? [],
    dockerfile: options.dockerfile,
    target: options.target,
    buildargs: map(options.args),
    labels: map(options.labels),
    platform: options.platform,
    nocache: options.noCache === true ? true : undefined,
    pull: options.pull === true ? true : undefined,
    rm: true,
    forcerm: true,
  };
}

function imageId(aux: unknown): string | undefined {
  if (typeof aux !== 'object' || aux === null || !('ID' in aux)) return undefined;
  return typeof aux.ID === 'string' ? aux.ID : undefined;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
