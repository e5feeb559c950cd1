import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import type { ChainId, DiffId } from '../../oci/digest.ts';
import { hexOf, isDigest } from '../../oci/digest.ts';
import { syncDirectory } from '../../storage/atomic-file.ts';
import type { LayerInfo, StagedLayer } from '../snapshotter.ts';
import type { ErofsLayout } from './erofs-layout.ts';
import { readStagedIndex, stageFiles } from './stage-files.ts';

/** `layer.json`. */
export interface LayerRecord extends LayerInfo {
  /** Bytes of the side file, 0 when there is none. */
  sideSize: number;
}

/**
 * The committed layers on disk. State is the files alone; what was read once is remembered, since chains never change. Callers keep
 * `publish` and `remove` apart in time.
 */
export class LayerStore {
  readonly #layout: ErofsLayout;
  readonly #logger: Logger;
  readonly #records = new Map<ChainId, LayerRecord>();

  constructor(layout: ErofsLayout, logger: Logger) {
    this.#layout = layout;
    this.#logger = logger;
  }

  async find(chainId: ChainId): Promise<LayerRecord | undefined> {
    const known = this.#records.get(chainId);
    if (known !== undefined) return known;
    if (!isDigest(chainId)) return undefined;
    const record = await readRecord(this.#layout.record(chainId));
    if (record?.chainId !== chainId) return undefined;
    this.#records.set(chainId, record);
    return record;
  }

  /** @throws EngineError "not-found". */
  async get(chainId: ChainId): Promise<LayerRecord> {
    const record = await this.find(chainId);
    if (record === undefined) throw new EngineError('not-found', `No such layer: ${chainId}`);
    return record;
  }

  /** From `chainId` down to the base. @throws EngineError "not-found". */
  async stack(chainId: ChainId): Promise<LayerRecord[]> {
    const layers: LayerRecord[] = [];
    for (let next: ChainId | undefined = chainId; next !== undefined; ) {
      const record: LayerRecord = await this.get(next);
      layers.push(record);
      next = record.parent;
    }
    return layers;
  }

  async list(): Promise<LayerRecord[]> {
    const names = await readdir(this.#layout.chains);
    const records = await Promise.all(names.map((name) => this.find(`sha256:${name}` as ChainId)));
    return records.filter((record) => record !== undefined);
  }

  /** Put a stage in its place: tar first, then index and record in one rename. */
  async publish(staged: StagedLayer, parent: ChainId | undefined): Promise<LayerRecord> {
    const { diffId, tarSize, staging } = staged;
    const { sideSize } = await readStagedIndex(staging.directory);
    const chainId = chainIdOn(parent, diffId);
    const record: LayerRecord = { chainId, parent, diffId, tarSize, sideSize };
    await this.#publishTar(staged, sideSize);
    const files = stageFiles(staging.directory);
    const chain = join(staging.directory, 'chain');
    await mkdir(chain, { mode: 0o700 });
    await rename(files.index, join(chain, 'index.erofs'));
    await writeSynced(join(chain, 'layer.json'), JSON.stringify(record));
    await syncDirectory(chain);
    await rename(chain, this.#layout.chain(chainId));
    await syncDirectory(this.#layout.chains);
    this.#records.set(chainId, record);
    return record;
  }

  /** The chain goes first, by one rename, then the tar if no other chain has it. */
  async remove(record: LayerRecord): Promise<void> {
    const trash = join(this.#layout.trash, `${hexOf(record.chainId)}.${randomBytes(4).toString('hex')}`);
    await rename(this.#layout.chain(record.chainId), trash);
    this.#records.delete(record.chainId);
    await syncDirectory(this.#layout.chains);
    const others = await this.list();
    if (!others.some(({ diffId }) => diffId === record.diffId)) {
      await rm(this.#layout.tar(record.diffId), { force: true });
      await rm(this.#layout.side(record.diffId), { force: true });
    }
    await rm(trash, { recursive: true, force: true });
  }

  /** After a crash: chains that can't be whole, tars without a chain. */
  async recover(): Promise<void> {
    this.#records.clear();
    for (const name of await readdir(this.#layout.chains)) {
      if ((await this.find(`sha256:${name}` as ChainId)) !== undefined) continue;
      this.#logger.warn('removing a layer without a record', { chain: name });
      await rm(join(this.#layout.chains, name), { recursive: true, force: true });
    }
    const wanted = new Set((await this.list()).map(({ diffId }) => hexOf(diffId)));
    for (const name of await readdir(this.#layout.tars))
      if (!wanted.has(name.slice(0, name.indexOf('.')))) await unlink(join(this.#layout.tars, name));
  }

  async #publishTar({ diffId, staging }: StagedLayer, sideSize: number): Promise<void> {
    const files = stageFiles(staging.directory);
    await this.#publishFile(files.tar, this.#layout.tar(diffId));
    if (sideSize > 0) await this.#publishFile(files.side, this.#layout.side(diffId));
    await syncDirectory(this.#layout.tars);
  }

  /** A file that is there has the same bytes; mounts may be using it. */
  async #publishFile(from: string, to: string): Promise<void> {
    if (await Bun.file(to).exists()) return;
    await rename(from, to);
  }
}

async function readRecord(path: string): Promise<LayerRecord | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isRecord(value) ? value : undefined;
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isRecord(value: unknown): value is LayerRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Record<string, unknown>;
  const digest = (text: unknown): text is DiffId => typeof text === 'string' && isDigest(text);
  return (
    digest(record['chainId']) &&
    (record['parent'] === undefined || digest(record['parent'])) &&
    digest(record['diffId']) &&
    typeof record['tarSize'] === 'number' &&
    typeof record['sideSize'] === 'number'
  );
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
