import type { ContextSource, ContextTree, ContextWant } from '../../builder/build-session.ts';
import type { ContextDirectories, ReceivedContext } from '../filesync/context-directories.ts';
import { FileSync } from '../protocol/generated/filesync_pb.ts';
import { headerValues } from './header-values.ts';
import type { OpenSession } from './session-store.ts';

/** Makes a received directory readable to a build. */
export type OpenDirectory = (received: ReceivedContext) => ContextTree;

/** Patterns go as headers, of which HTTP/2 peers take only so much; without them more comes than is wanted. */
const MAX_HEADER_BYTES = 256 << 10;

/** A directory of the client's, brought here file by file. */
export class SyncedContext implements ContextSource {
  readonly #name: string;
  readonly #session: OpenSession;
  readonly #contexts: ContextDirectories;
  readonly #openDirectory: OpenDirectory;

  constructor(
    name: string,
    session: OpenSession,
    ports: { contexts: ContextDirectories; openDirectory: OpenDirectory },
  ) {
    this.#name = name;
    this.#session = session;
    this.#contexts = ports.contexts;
    this.#openDirectory = ports.openDirectory;
  }

  async open(
    want: ContextWant,
    options: { signal: AbortSignal; received?: (bytes: number) => void },
  ): Promise<ContextTree> {
    const { signal } = options;
    const stream = this.#session.client.open(FileSync.method.diffCopy, {
      signal,
      metadata: headerValues({ ...patternsOf(want), 'dir-name': [this.#name] }),
    });
    const { sharedKey, id } = this.#session;
    // Single files have a directory of their own: their transfer would take all others from the whole context's.
    const key = JSON.stringify([sharedKey === '' ? id : sharedKey, this.#name, ...want.include]);
    return this.#openDirectory(await this.#contexts.receive(key, stream, options));
  }
}

function patternsOf({ include, exclude, follow }: ContextWant): Record<string, readonly string[]> {
  const patterns = { 'include-patterns': include, 'exclude-patterns': exclude, followpaths: follow };
  const bytes = [...include, ...exclude, ...follow].reduce((sum, text) => sum + text.length + 64, 0);
  if (bytes <= MAX_HEADER_BYTES) return patterns;
  // What is excluded must not come; what isn't wanted may.
  return exclude.length === 0 ? {} : { 'exclude-patterns': exclude };
}
