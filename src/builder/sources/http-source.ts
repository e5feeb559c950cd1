import { type FileHandle, mkdir, open, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { type FolderNote, readFolderNote, writeFolderNote } from './folder-note.ts';
import { HeldFolders } from './held-folders.ts';
import type { HttpOptions, RemoteFiles } from './remote-sources.ts';
import { SerialKeys } from './serial-keys.ts';

type Downloaded = NonNullable<FolderNote['download']>;

const MAX_NAME_BYTES = 255;
const CONNECT_TIMEOUT_MS = 60_000;

/** Downloads of ADD and of contexts: each content once, in a folder by URL and digest, asked for again only where the server's entity tag says so. */
export class HttpSource {
  readonly folders: HeldFolders;
  readonly #serial = new SerialKeys();

  constructor(root: string) {
    this.folders = new HeldFolders(root);
  }

  async recover(): Promise<void> {
    await this.folders.recover();
  }

  /** @throws EngineError "invalid": BuildKit's words for the server's refusal; code digest-mismatch. */
  async fetch(url: string, options: HttpOptions): Promise<RemoteFiles> {
    checkUrl(url);
    const id = new Bun.CryptoHasher('sha256').update(url).digest('hex');
    return await this.#serial.run(id, async () => {
      options.signal.throwIfAborted();
      return (await this.#current(url, id, options)) ?? (await this.#download(url, id, options));
    });
  }

  /** Of what is here already that which the server, or the checksum, says is still right. */
  async #current(url: string, id: string, options: HttpOptions): Promise<RemoteFiles | undefined> {
    const { checksum, signal } = options;
    for (const known of await this.#known(id)) {
      if (checksum === undefined ? known.etag === '' : known.digest !== checksum) continue;
      if (checksum === undefined && !(await isUnchanged(url, known.etag, signal))) return undefined;
      const held = await this.folders.hold(folderOf(id, known.digest));
      return held && remoteFile(held, known);
    }
    return undefined;
  }

  async #download(url: string, id: string, options: HttpOptions): Promise<RemoteFiles> {
    const response = await get(url, options.signal);
    const name = fileName(url);
    const download: Downloaded = { digest: '', name, etag: response.headers.get('etag') ?? '' };
    const note = { description: `http url ${shownUrl(url)}`, download };
    const held = await this.folders.make(async (directory) => {
      await mkdir(join(directory, 'files'), { mode: 0o755 });
      const file = join(directory, 'files', name);
      download.digest = await writeBody(response, file, options);
      if (options.checksum !== undefined && download.digest !== options.checksum)
        throw new EngineError(
          'invalid',
          `digest mismatch for ${shownUrl(url)}: ${download.digest} (expected: ${options.checksum})`,
          { code: 'digest-mismatch' },
        );
      const modified = timeOf(response.headers.get('last-modified'));
      await utimes(file, modified, modified);
      await writeFolderNote(directory, note);
      return folderOf(id, download.digest);
    });
    try {
      // The same content may have another tag now.
      await writeFolderNote(held.path, note);
    } catch (error) {
      await held.release();
      throw error;
    }
    return remoteFile(held, download);
  }

  /** The downloads of a URL, the last one first. */
  async #known(id: string): Promise<Downloaded[]> {
    const own = (await this.folders.list()).filter(({ name }) => name.startsWith(`${id}-`));
    const found: Downloaded[] = [];
    for (const { path } of own.sort((a, b) => b.lastUsedMs - a.lastUsedMs)) {
      const download = (await readFolderNote(path))?.download;
      if (download !== undefined) found.push(download);
    }
    return found;
  }
}

function folderOf(id: string, digest: string): string {
  return `${id}-${digest.replace(':', '-')}`;
}

function remoteFile(
  { path, release }: { path: string; release: () => Promise<void> },
  { digest, name }: Downloaded,
): RemoteFiles {
  return { place: { kind: 'directory', path: join(path, 'files') }, key: digest, name, release };
}

/** BuildKit asks by HEAD first: some servers can't answer a conditional GET. */
async function isUnchanged(url: string, etag: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(url, { method: 'HEAD', headers: { 'If-None-Match': etag }, signal });
    return response.status === 304 || (response.ok && weakly(response.headers.get('etag')) === weakly(etag));
  } catch {
    signal.throwIfAborted();
    return false;
  }
}

/** Bun's fetch would read this host's files as well. @throws EngineError "invalid" in Go's words. */
function checkUrl(url: string): void {
  const parsed = URL.parse(url);
  if (parsed === null) throw new EngineError('invalid', `parse ${JSON.stringify(url)}: invalid URL`);
  const { protocol } = parsed;
  if (protocol !== 'http:' && protocol !== 'https:')
    throw new EngineError(
      'invalid',
      `Get ${JSON.stringify(shownUrl(url))}: unsupported protocol scheme ${JSON.stringify(protocol.slice(0, -1))}`,
    );
}

function weakly(etag: string | null): string {
  return (etag ?? '').replace(/^W\//, '');
}

async function get(url: string, signal: AbortSignal): Promise<Response> {
  const timeout = AbortSignal.timeout(CONNECT_TIMEOUT_MS);
  const either = new AbortController();
  const abort = (): void => either.abort(signal.reason);
  const late = (): void => either.abort(timeout.reason);
  signal.addEventListener('abort', abort, { once: true });
  timeout.addEventListener('abort', late, { once: true });
  try {
    const response = await fetch(url, { signal: either.signal });
    if (response.ok) return response;
    await response.body?.cancel();
    throw new EngineError('invalid', `invalid response status ${response.status}`);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof EngineError) throw error;
    throw new EngineError('invalid', `Get ${JSON.stringify(shownUrl(url))}: ${messageOf(error)}`, {
      cause: error,
    });
  } finally {
    // From here on only the build's own end ends the body.
    timeout.removeEventListener('abort', late);
  }
}

async function writeBody(
  response: Response,
  path: string,
  { signal, received }: HttpOptions,
): Promise<string> {
  const hash = new Bun.CryptoHasher('sha256');
  const file: FileHandle = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of bodyOf(response, signal)) {
      hash.update(chunk);
      for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
      received?.(chunk.length);
    }
    return `sha256:${hash.digest('hex')}`;
  } finally {
    await file.close();
  }
}

/** @throws EngineError "invalid" where it breaks off; the signal's reason. */
async function* bodyOf({ body }: Response, signal: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  try {
    for await (const chunk of body ?? []) {
      signal.throwIfAborted();
      yield chunk;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw new EngineError('invalid', `Cannot read response: ${messageOf(error)}`, { cause: error });
  }
}

/** The last component of the URL's path; what can't be a file's name gets BuildKit's own. */
function fileName(url: string): string {
  const { pathname } = new URL(url);
  let decoded = pathname;
  try {
    decoded = decodeURIComponent(pathname);
  } catch {
    // As it stands.
  }
  const name = decoded.split('/').findLast((part) => part !== '') ?? '';
  const isName = name !== '' && name !== '.' && name !== '..' && !name.includes('\0');
  return isName && Buffer.byteLength(name) <= MAX_NAME_BYTES ? name : '__unnamed__';
}

/** Without Last-Modified a file is of 1970, as BuildKit has it. */
function timeOf(header: string | null): Date {
  const time = Date.parse(header ?? '');
  return new Date(Number.isNaN(time) ? 0 : time);
}

function shownUrl(url: string): string {
  const parsed = new URL(url);
  if (parsed.password !== '') parsed.password = 'xxxxx';
  return parsed.password === '' ? url : parsed.href;
}
