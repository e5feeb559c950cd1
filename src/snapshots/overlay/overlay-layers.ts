import { randomUUID } from 'node:crypto';
import { chmodSync, lchownSync, unlinkSync } from 'node:fs';
import { link, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { chainIdOn } from '../../oci/chain-id.ts';
import type { ChainId, DiffId } from '../../oci/digest.ts';
import { syncDirectory } from '../../storage/atomic-file.ts';
import {
  applyToDirectory,
  fsPath,
  isWhiteout,
  nodeAttributes,
  setTimes,
  statNode,
} from '../node-attributes.ts';
import type { LayerInfo, LayerPlace, StagedLayer } from '../snapshotter.ts';
import type { UnpackedLayer } from './layer-unpacker.ts';
import type { OverlayLayout } from './overlay-layout.ts';
import { stageFiles } from './overlay-layout.ts';
import { OverlayTree } from './overlay-tree.ts';
import type { UnpackReport } from './unpack-report.ts';

/** `layer.json`. */
interface LayerRecord {
  chainId: ChainId;
  parent?: ChainId;
  diffId: DiffId;
  tarSize: number;
  opaqueRoot: boolean;
}

/** The committed layers on disk. Immutable, so what was read once is kept. */
export class OverlayLayers {
  readonly #layout: OverlayLayout;
  readonly #known = new Map<ChainId, LayerRecord>();

  constructor(layout: OverlayLayout) {
    this.#layout = layout;
  }

  async commit(staged: StagedLayer, parent: ChainId | undefined, signal: AbortSignal): Promise<LayerInfo> {
    signal.throwIfAborted();
    const lowers = parent === undefined ? [] : await this.stack(parent);
    const chainId = chainIdOn(parent, staged.diffId);
    const existing = await this.find(chainId);
    if (existing === undefined) await this.#move(staged, { chainId, parent, lowers });
    await rm(staged.staging.directory, { recursive: true, force: true });
    return this.get(chainId);
  }

  async find(chainId: ChainId): Promise<LayerInfo | undefined> {
    const record = await this.#record(chainId);
    return record && infoOf(record);
  }

  async get(chainId: ChainId): Promise<LayerInfo> {
    return infoOf(await this.#mustHave(chainId));
  }

  async list(): Promise<LayerInfo[]> {
    const names = await namesIn(this.#layout.layers);
    const found = await Promise.all(names.map((hex) => this.find(`sha256:${hex}` as ChainId)));
    return found.filter((layer) => layer !== undefined);
  }

  /** The directories of a chain, topmost first, as far down as they are visible. @throws EngineError "not-found". */
  async stack(chainId: ChainId): Promise<string[]> {
    const directories: string[] = [];
    for (let next: ChainId | undefined = chainId; next !== undefined; ) {
      const record: LayerRecord = await this.#mustHave(next);
      directories.push(stageFiles(this.#layout.layer(next)).fs);
      next = record.opaqueRoot ? undefined : record.parent;
    }
    return directories;
  }

  /** All layers of a chain, lowest first. @throws EngineError "not-found". */
  async places(chainId: ChainId): Promise<LayerPlace[]> {
    const places: LayerPlace[] = [];
    for (let next: ChainId | undefined = chainId; next !== undefined; ) {
      const record: LayerRecord = await this.#mustHave(next);
      const directory = stageFiles(this.#layout.layer(next)).fs;
      places.unshift({ driver: 'overlay', directory, opaqueRoot: record.opaqueRoot });
      next = record.parent;
    }
    return places;
  }

  tarPath(chainId: ChainId): string {
    return stageFiles(this.#layout.layer(chainId)).tar;
  }

  /** Take the layer out of sight; the caller removes the directory that is returned. */
  async detach(chainId: ChainId): Promise<string> {
    await mkdir(this.#layout.removing, { recursive: true, mode: 0o700 });
    const away = join(this.#layout.removing, randomUUID());
    await rename(this.#layout.layer(chainId), away);
    this.#known.delete(chainId);
    await syncDirectory(this.#layout.layers);
    return away;
  }

  async #move(staged: StagedLayer, place: Place): Promise<void> {
    const { chainId, parent, lowers } = place;
    const files = stageFiles(staged.staging.directory);
    const unpacked = await readReport(files.report);
    dropIdleWhiteouts(files.fs, unpacked, lowers);
    describeImplied(files.fs, unpacked, lowers);
    const record: LayerRecord = {
      chainId,
      ...(parent === undefined ? {} : { parent }),
      diffId: staged.diffId,
      tarSize: staged.tarSize,
      opaqueRoot: unpacked.opaqueRoot,
    };
    await this.#shareTar(staged);
    await writeDurably(files.record, JSON.stringify(record));
    await syncDirectory(staged.staging.directory);
    await mkdir(this.#layout.layers, { recursive: true, mode: 0o700 });
    try {
      await rename(staged.staging.directory, this.#layout.layer(chainId));
    } catch (error) {
      // Somebody else has just committed the same chain.
      if (errnoCodeOf(error) !== 'ENOTEMPTY' && errnoCodeOf(error) !== 'EEXIST') throw error;
    }
    await syncDirectory(this.#layout.layers);
  }

  /** A tar that another chain has already is kept once. */
  async #shareTar(staged: StagedLayer): Promise<void> {
    const twin = (await this.list()).find(({ diffId }) => diffId === staged.diffId);
    if (twin === undefined) return;
    const { tar } = stageFiles(staged.staging.directory);
    await rm(tar);
    await link(this.tarPath(twin.chainId), tar);
  }

  async #mustHave(chainId: ChainId): Promise<LayerRecord> {
    const record = await this.#record(chainId);
    if (record === undefined) throw new EngineError('not-found', `No such layer: ${chainId}`);
    return record;
  }

  async #record(chainId: ChainId): Promise<LayerRecord | undefined> {
    const known = this.#known.get(chainId);
    if (known !== undefined) return known;
    try {
      const text = await readFile(stageFiles(this.#layout.layer(chainId)).record, 'utf8');
      const record = JSON.parse(text) as LayerRecord;
      this.#known.set(chainId, record);
      return record;
    } catch (error) {
      if (errnoCodeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}

interface Place {
  chainId: ChainId;
  parent: ChainId | undefined;
  lowers: readonly string[];
}

function infoOf({ chainId, parent, diffId, tarSize }: LayerRecord): LayerInfo {
  return { chainId, parent, diffId, tarSize };
}

async function readReport(path: string): Promise<UnpackedLayer> {
  const { layer } = JSON.parse(await readFile(path, 'utf8')) as UnpackReport;
  if (layer === undefined) throw new EngineError('internal', 'Cannot commit layer: it was not unpacked');
  return layer;
}

/** For a directory that is not in its place yet: no temporary name is needed. */
async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Remove whiteouts of what the chain below does not have. They do nothing, and where the directory is not merged with one below,
 * overlayfs lists them as names that cannot be looked up.
 */
function dropIdleWhiteouts(root: string, unpacked: UnpackedLayer, lowers: readonly string[]): void {
  const below = new OverlayTree(unpacked.opaqueRoot ? [] : lowers);
  for (const { path, below: visible } of unpacked.whiteouts) {
    if (visible && below.lookupSync(path) !== undefined) continue;
    const whiteout = `${root}/${path}`;
    const device = statNode(whiteout);
    if (device === undefined || !isWhiteout(device)) continue;
    const directory = whiteout.slice(0, whiteout.lastIndexOf('/'));
    const stat = statNode(directory);
    if (stat === undefined) continue;
    const { mtimeSeconds, mtimeNanoseconds } = nodeAttributes(directory, stat);
    unlinkSync(fsPath(whiteout));
    setTimes(directory, mtimeSeconds, mtimeNanoseconds);
  }
}

/** Directories that the layer only implies look as they do in the chain below. */
function describeImplied(root: string, unpacked: UnpackedLayer, lowers: readonly string[]): void {
  const below = new OverlayTree(lowers);
  for (const { path, below: visible } of unpacked.implied) {
    const directory = path === '' ? root : `${root}/${path}`;
    if (statNode(directory)?.isDirectory() !== true) continue;
    const node = visible && !(path === '' && unpacked.opaqueRoot) ? below.lookupSync(path) : undefined;
    if (node?.type === 'directory') applyToDirectory(directory, node);
    else {
      lchownSync(fsPath(directory), 0, 0);
      chmodSync(fsPath(directory), 0o755);
      setTimes(directory, 0, 0);
    }
  }
}

/** Entries of a directory that may not exist yet. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
