import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContextTree } from '../build-session.ts';
import type { FileRunner } from '../copy/file-job.ts';
import type { SourceFolder, SourceFolders } from '../kept-sources.ts';
import { downloadContext } from './download-context.ts';
import { readFolderNote } from './folder-note.ts';
import { isGitUrl } from './git-reference.ts';
import { GitSource } from './git-source.ts';
import type { HeldFolders } from './held-folders.ts';
import { HttpSource } from './http-source.ts';
import { openContextTree } from './open-context-tree.ts';
import type {
  GitOptions,
  HttpOptions,
  RemoteContextOptions,
  RemoteFiles,
  RemoteSources,
} from './remote-sources.ts';

export interface FetchedSourcesOptions {
  /** Ours alone: downloads, repositories and their check-outs, kept between builds. */
  root: string;
  files: FileRunner;
}

/** Remote sources, kept in a folder as part of the build cache. */
export class FetchedSources implements RemoteSources, SourceFolders {
  readonly #http: HttpSource;
  readonly #git: GitSource;
  readonly #options: FetchedSourcesOptions;

  private constructor(options: FetchedSourcesOptions) {
    this.#options = options;
    this.#http = new HttpSource(join(options.root, 'http'));
    this.#git = new GitSource(join(options.root, 'git'));
  }

  /** What an earlier process left unfinished is removed. */
  static async open(options: FetchedSourcesOptions): Promise<FetchedSources> {
    const sources = new FetchedSources(options);
    const contexts = rm(join(options.root, 'contexts'), { recursive: true, force: true });
    await Promise.all([contexts, sources.#http.recover(), sources.#git.recover()]);
    return sources;
  }

  async http(url: string, options: HttpOptions): Promise<RemoteFiles> {
    return await this.#http.fetch(url, options);
  }

  async git(url: string, options: GitOptions): Promise<RemoteFiles> {
    return await this.#git.fetch(url, options);
  }

  async context(url: string, options: RemoteContextOptions): Promise<ContextTree> {
    const files = await this.#contextFiles(url, options);
    try {
      return openContextTree(files.place, { want: options.want, release: () => files.release() });
    } catch (error) {
      await files.release();
      throw error;
    }
  }

  async list(): Promise<SourceFolder[]> {
    const found: SourceFolder[] = [];
    for (const { folders, kind } of this.#shelves())
      for (const { name, path, ...facts } of await folders.list()) {
        const { description = '' } = (await readFolderNote(path)) ?? {};
        found.push({ id: recordId(kind, name), directory: path, kind, description, ...facts });
      }
    return found;
  }

  async remove(id: string): Promise<void> {
    for (const { folders, kind } of this.#shelves()) {
      const found = (await folders.list()).find(({ name }) => recordId(kind, name) === id);
      if (found !== undefined) return await folders.remove(found.name);
    }
  }

  /** As BuildKit has them: of what git fetched only the check-outs have a kind of their own. */
  #shelves(): { folders: HeldFolders; kind: SourceFolder['kind'] }[] {
    return [
      { folders: this.#http.folders, kind: 'regular' },
      { folders: this.#git.repositories, kind: 'regular' },
      { folders: this.#git.trees, kind: 'source.git.checkout' },
    ];
  }

  async #contextFiles(
    url: string,
    options: RemoteContextOptions,
  ): Promise<Pick<RemoteFiles, 'place' | 'release'>> {
    if (isGitUrl(url) || url.startsWith('github.com/')) return await this.git(url, options);
    const file = await this.http(url, options);
    try {
      const directory = join(this.#options.root, 'contexts');
      return await downloadContext(file, { directory, files: this.#options.files, signal: options.signal });
    } catch (error) {
      await file.release();
      throw error;
    }
  }
}

/** As long as BuildKit's. */
function recordId(kind: string, name: string): string {
  return new Bun.CryptoHasher('sha256').update(`${kind} ${name}`).digest('hex').slice(0, 25);
}
