import { mkdir, open, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
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
  /** The layer's root is opaque: nothing of the chain below is shown. overlayfs does not heed that mark on a lower's root. */
  hidesBelow?: boolean;
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

  /** The layers that a mount shows, from `chainId` down. @throws EngineError "not-found". */
  async stack(chainId: ChainId): Promise<LayerRecord[]> {
    const layers: LayerRecord[] = [];
    for (let next: ChainId | undefined = chainId; next !== undefined; ) {
      const record: LayerRecord = await this.get(next);
      layers.push(record);
      next = record.hidesBelow === true ? undefined : record.parent;
    }
    return layers;
  }

  /** All layers of a chain, lowest first, those too that one above hides whole. @throws as `stack`. */
  async chain(chainId: ChainId): Promise<LayerRecord[]> {
    const layers: LayerRecord[] = [];
    for (let next: ChainId | undefined = chainId; next !== undefined; ) {
      const record: LayerRecord = await this.get(next);
      layers.unshift(record);
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
    const { sideSize, hidesBelow } = await readStagedIndex(staging.directory);
    const chainId = chainIdOn(parent, diffId);
    const record: LayerRecord = { chainId, parent, diffId, tarSize, sideSize };
    if (hidesBelow) record.hidesBelow = true;
    await this.#publishTar(staged, sideSize);
    const files = stageFiles(staging.directory);
    const chain = join(staging.directory, 'chain');
    await mkdir(chain, { mode: 0o700 });
    await rename(files.index, join(chain, 'index.erofs'));
    await writeFile(join(chain, 'layer.json'), JSON.stringify(record), { mode: 0o600 });
    // Asked for together, these are one commit of the file system's journal.
    await Promise.all(['index.erofs', 'layer.json', '.'].map((name) => syncFile(join(chain, name))));
    await this.#publishChain(chain, chainId);
    await Promise.all([syncDirectory(this.#layout.tars), syncDirectory(this.#layout.chains)]);
    this.#records.set(chainId, record);
    return record;
  }

  /**
   * Take a chain away, and the tar if no other chain has it. The chain goes first: what is left after a power cut is whole, or
   * `recover` finds it.
   *
   * @returns files and directories that are left to delete.
   */
  async remove(record: LayerRecord): Promise<string[]> {
    const trash = [this.#layout.newTrash(hexOf(record.chainId))];
    await rename(this.#layout.chain(record.chainId), trash[0] ?? '');
    this.#records.delete(record.chainId);
    const others = await this.list();
    if (others.some(({ diffId }) => diffId === record.diffId)) return trash;
    const files = [this.#layout.tar(record.diffId)];
    if (record.sideSize > 0) files.push(this.#layout.side(record.diffId));
    for (const file of files) {
      const path = this.#layout.newTrash(basename(file));
      await rename(file, path);
      trash.push(path);
    }
    return trash;
  }

  /** After a crash: chains that aren't whole, those on top of them, and tars without a chain go. */
  async recover(): Promise<void> {
    this.#records.clear();
    const names = await readdir(this.#layout.chains);
    const whole = new Map<ChainId, LayerRecord>();
    for (const name of names) {
      const record = await this.find(`sha256:${name}` as ChainId);
      if (record !== undefined && (await this.#hasContent(record))) whole.set(record.chainId, record);
    }
    for (const name of names) {
      if (isGrounded(`sha256:${name}` as ChainId, whole)) continue;
      this.#logger.warn('removing a layer that is not whole', { chain: name });
      this.#records.delete(`sha256:${name}` as ChainId);
      await rm(join(this.#layout.chains, name), { recursive: true, force: true });
    }
    const wanted = new Set((await this.list()).map(({ diffId }) => hexOf(diffId)));
    for (const name of await readdir(this.#layout.tars))
      if (!wanted.has(name.slice(0, name.indexOf('.')))) await unlink(join(this.#layout.tars, name));
  }

  async #hasContent({ chainId, diffId, tarSize, sideSize }: LayerRecord): Promise<boolean> {
    const sizes = [fileSize(this.#layout.tar(diffId)), fileSize(this.#layout.index(chainId))];
    if (sideSize > 0) sizes.push(fileSize(this.#layout.side(diffId)));
    const [tar, index, side] = await Promise.all(sizes);
    return tar === tarSize && index !== undefined && (sideSize === 0 || side === sideSize);
  }

  /** A chain that is there already, by a commit that ran beside this one, is the same. */
  async #publishChain(from: string, chainId: ChainId): Promise<void> {
    try {
      await rename(from, this.#layout.chain(chainId));
    } catch (error) {
      const code = errnoCodeOf(error);
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    }
  }

  async #publishTar({ diffId, staging }: StagedLayer, sideSize: number): Promise<void> {
    const files = stageFiles(staging.directory);
    await this.#publishFile(files.tar, this.#layout.tar(diffId));
    if (sideSize > 0) await this.#publishFile(files.side, this.#layout.side(diffId));
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

function isGrounded(chainId: ChainId, whole: ReadonlyMap<ChainId, LayerRecord>): boolean {
  for (let next: ChainId | undefined = chainId; next !== undefined; ) {
    const record: LayerRecord | undefined = whole.get(next);
    if (record === undefined) return false;
    next = record.parent;
  }
  return true;
}

async function fileSize(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
