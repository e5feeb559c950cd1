import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ContextMetadata,
  type ContextPlaces,
  contextPlaces,
  decodeContext,
  readContextMetadata,
} from '../../client/node/docker-context.ts';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { replaceFile } from '../replace-file.ts';
import { DEFAULT_CONTEXT } from '../start-config.ts';

/** PEM files of a context's Docker endpoint, by name. */
export const PEM_FILES = ['ca.pem', 'cert.pem', 'key.pem'] as const;
export type PemFiles = Partial<Record<(typeof PEM_FILES)[number], Uint8Array>>;

/** A context as it is kept. */
export interface StoredContext {
  metadata: ContextMetadata;
  tls: PemFiles;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/;

/** @throws EngineError "invalid" in Docker's words. */
export function checkContextName(name: string): void {
  if (name === '') throw new EngineError('invalid', 'context name cannot be empty');
  if (name === DEFAULT_CONTEXT) throw new EngineError('invalid', '"default" is a reserved context name');
  if (!NAME.test(name))
    throw new EngineError(
      'invalid',
      `context name ${JSON.stringify(name)} is invalid, names are validated against regexp "^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$"`,
    );
}

/** Contexts below the folder of the client's configuration, laid out as Docker lays them out: either client reads the other's. */
export class ContextStore {
  readonly #folder: string;

  constructor(configDirectory: string) {
    this.#folder = configDirectory;
  }

  places(name: string): ContextPlaces {
    return contextPlaces(this.#folder, name);
  }

  /** In the order of their names; one that can't be read is left out. */
  async list(): Promise<ContextMetadata[]> {
    const all = join(this.#folder, 'contexts/meta');
    const found: ContextMetadata[] = [];
    for (const id of await entriesOf(all)) {
      const text = await readFile(join(all, id, 'meta.json'), 'utf8').catch(() => undefined);
      try {
        if (text !== undefined) found.push(decodeContext(id, text));
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
      }
    }
    return found.toSorted((one, other) => (one.Name < other.Name ? -1 : 1));
  }

  async has(name: string): Promise<boolean> {
    return await this.#read(name).then(
      () => true,
      (error: unknown) => {
        if (error instanceof EngineError && error.kind === 'not-found') return false;
        throw error;
      },
    );
  }

  /** @throws EngineError "not-found" in Docker's words. */
  async get(name: string): Promise<StoredContext> {
    const metadata = await this.#read(name);
    const tls: PemFiles = {};
    for (const file of await this.tlsFiles(name))
      tls[file] = await readFile(join(this.places(name).tls, 'docker', file));
    return { metadata, tls };
  }

  /** The names alone. */
  async tlsFiles(name: string): Promise<(keyof PemFiles)[]> {
    const present = await entriesOf(join(this.places(name).tls, 'docker'));
    return PEM_FILES.filter((file) => present.includes(file));
  }

  /** Make it, or put it in the place of the one that is there. The certificates are there before who looks for them. */
  async put(name: string, { metadata, tls }: StoredContext): Promise<void> {
    const { metadata: folder, tls: tlsFolder } = this.places(name);
    await rm(tlsFolder, { recursive: true, force: true });
    for (const [file, pem] of Object.entries(tls)) {
      await mkdir(join(tlsFolder, 'docker'), { recursive: true, mode: 0o700 });
      await writeFile(join(tlsFolder, 'docker', file), pem, { mode: 0o600 });
    }
    await mkdir(folder, { recursive: true, mode: 0o755 });
    await replaceFile(join(folder, 'meta.json'), JSON.stringify({ ...metadata, Name: name }));
  }

  async remove(name: string): Promise<void> {
    const { metadata, tls } = this.places(name);
    await rm(metadata, { recursive: true, force: true });
    await rm(tls, { recursive: true, force: true });
  }

  #read(name: string): Promise<ContextMetadata> {
    return readContextMetadata(this.#folder, name);
  }
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT' || errnoCodeOf(error) === 'ENOTDIR') return [];
    throw error;
  }
}
