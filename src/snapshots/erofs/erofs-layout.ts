import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { EngineError } from '../../errors/engine-error.ts';
import type { ChainId, DiffId } from '../../oci/digest.ts';
import { hexOf } from '../../oci/digest.ts';
import type { SnapshotKey } from '../snapshotter.ts';

/** Mount parameters hold 255 bytes, and an upper directory is named by root and key. */
const maxRootBytes = 110;

/**
 * Where everything lies below the snapshotter's root. A chain's directory, a tar and a writable snapshot appear whole, by rename;
 * `trash` holds what is on its way out.
 */
export class ErofsLayout {
  readonly root: string;

  /** @throws EngineError "invalid" for a root that mount options can't name. */
  constructor(root: string) {
    if (!root.startsWith('/') || /[,:\\\n]/.test(root) || Buffer.byteLength(root) > maxRootBytes)
      throw new EngineError(
        'invalid',
        `Cannot keep snapshots in ${JSON.stringify(root)}: the path must be absolute, at most ${maxRootBytes} bytes, without comma, colon or backslash`,
      );
    this.root = root;
  }

  get tars(): string {
    return join(this.root, 'tars');
  }

  get chains(): string {
    return join(this.root, 'chains');
  }

  get active(): string {
    return join(this.root, 'active');
  }

  get mounts(): string {
    return join(this.root, 'mounts');
  }

  get staging(): string {
    return join(this.root, 'staging');
  }

  get trash(): string {
    return join(this.root, 'trash');
  }

  /** A name in `trash` that nobody has. */
  newTrash(name: string): string {
    return join(this.trash, `${name.slice(0, 64)}.${randomBytes(6).toString('hex')}`);
  }

  /** An empty directory: the lower of snapshots without a parent. */
  get empty(): string {
    return join(this.root, 'empty');
  }

  get directories(): string[] {
    return [this.tars, this.chains, this.active, this.mounts, this.staging, this.trash, this.empty];
  }

  tar(diffId: DiffId): string {
    return join(this.tars, `${hexOf(diffId)}.tar`);
  }

  side(diffId: DiffId): string {
    return join(this.tars, `${hexOf(diffId)}.side`);
  }

  chain(chainId: ChainId): string {
    return join(this.chains, hexOf(chainId));
  }

  index(chainId: ChainId): string {
    return join(this.chain(chainId), 'index.erofs');
  }

  record(chainId: ChainId): string {
    return join(this.chain(chainId), 'layer.json');
  }

  lower(chainId: ChainId): string {
    return join(this.mounts, hexOf(chainId));
  }

  snapshot(key: SnapshotKey): string {
    return join(this.active, key);
  }

  upper(key: SnapshotKey): string {
    return join(this.active, key, 'upper');
  }

  work(key: SnapshotKey): string {
    return join(this.active, key, 'work');
  }

  /** A symbolic link to the parent chain's hex name: durable with its directory, no file to sync. */
  parentLink(key: SnapshotKey): string {
    return join(this.active, key, 'parent');
  }
}

const snapshotKey = /^[a-zA-Z0-9_.-]{1,128}$/;

/** @throws EngineError "invalid": a key becomes a file name. */
export function checkSnapshotKey(key: SnapshotKey): void {
  if (!snapshotKey.test(key) || key === '.' || key === '..')
    throw new EngineError('invalid', `Invalid snapshot key ${JSON.stringify(key)}`);
}
