import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContextTree } from '../build-session.ts';
import type { FileRunner } from '../copy/file-job.ts';
import { downloadContext } from './download-context.ts';
import { isGitUrl } from './git-reference.ts';
import { GitSource } from './git-source.ts';
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

/** Remote sources, kept in a folder. */
export class FetchedSources implements RemoteSources {
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

  /** Remove what nobody uses and nobody has asked for since `beforeMs`. */
  async collect(beforeMs: number): Promise<void> {
    await Promise.all([this.#http.collect(beforeMs), this.#git.collect(beforeMs)]);
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
