import { randomBytes, timingSafeEqual } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, statfs, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EngineError, errnoCodeOf } from '../../errors/engine-error.ts';
import { hasMountBelow } from '../../sys/mounts-below.ts';
import type { ContextSource, ContextTree, ContextWant } from '../build-session.ts';
import type { FilePlace } from './file-place.ts';
import { openContextTree } from './open-context-tree.ts';

/** What a client says of a directory that is to be read where it lies. */
export interface LocalClaim {
  /** Absolute, without links. */
  path: string;
  proof: string;
  device: bigint;
  inode: bigint;
  birthNs: bigint;
  ignore: readonly string[];
}

export interface LocalContextOptions {
  /** Where the proof lies: on a file system that the machine's root sees at the same path. */
  proofFile: string;
  /** For digests of clients' files. */
  directory: string;
}

const MAX_DIGEST_FILES = 64;
const MAX_DIGEST_BYTES = 256 << 20;

/**
 * Contexts that the daemon reads where they lie, instead of taking a copy.
 *
 * A client may ask for it that has read a file which root alone can read: it could read all of the directory itself, and is on this machine, whatever carried
 * its words here. It must also see the very directory that the daemon sees at the path, and neither may see a mount below.
 */
export class LocalContexts {
  readonly #options: LocalContextOptions;
  #proof: Promise<string> | undefined;

  constructor(options: LocalContextOptions) {
    this.#options = options;
  }

  /** The file whose content proves. */
  async offer(): Promise<string> {
    this.#proof ??= this.#writeProof();
    try {
      await this.#proof;
    } catch (error) {
      this.#proof = undefined;
      throw error;
    }
    return this.#options.proofFile;
  }

  /** @throws EngineError "conflict", code "context-elsewhere": the client must send it. */
  async open(claim: LocalClaim): Promise<LocalContext> {
    await this.#checkProof(claim.proof);
    await checkDirectory(claim);
    const [device, inode] = [String(claim.device), String(claim.inode)];
    const digests = await this.#digestFile(`${device}-${inode}`);
    return new LocalContext({ kind: 'local', path: claim.path, device, inode, digests }, claim.ignore);
  }

  async #checkProof(proof: string): Promise<void> {
    const known = Buffer.from((await this.#proof?.catch(() => undefined)) ?? '');
    const given = Buffer.from(proof);
    const isRight = known.length > 0 && known.length === given.length && timingSafeEqual(known, given);
    if (!isRight) throw elsewhere('the client has not shown that it is root on this machine');
  }

  async #writeProof(): Promise<string> {
    const { proofFile } = this.#options;
    const proof = randomBytes(32).toString('hex');
    const temporary = `${proofFile}.new`;
    await rm(temporary, { force: true });
    await writeFile(temporary, proof, { mode: 0o600, flag: 'wx' });
    await rename(temporary, proofFile);
    return proof;
  }

  /** Those of the directories that were built least recently are forgotten. */
  async #digestFile(name: string): Promise<string> {
    const { directory } = this.#options;
    const file = join(directory, name);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const now = new Date();
    await utimes(file, now, now).catch(() => undefined);
    const found: { path: string; size: number; mtimeMs: number }[] = [];
    for (const one of await readdir(directory)) {
      const path = join(directory, one);
      const info = await stat(path).catch(() => undefined);
      if (info !== undefined && path !== file) found.push({ path, size: info.size, mtimeMs: info.mtimeMs });
    }
    let [kept, bytes] = [1, 0];
    for (const { path, size } of found.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
      kept++;
      bytes += size;
      if (kept > MAX_DIGEST_FILES || bytes > MAX_DIGEST_BYTES) await rm(path, { force: true });
    }
    return file;
  }
}

/** A client's directory. */
export class LocalContext implements ContextSource {
  readonly #place: Extract<FilePlace, { kind: 'local' }>;
  readonly #ignore: readonly string[];

  constructor(place: Extract<FilePlace, { kind: 'local' }>, ignore: readonly string[]) {
    this.#place = place;
    this.#ignore = ignore;
  }

  async open(want: ContextWant): Promise<ContextTree> {
    return openContextTree(this.#place, {
      // All of it is here: only what the ignore files take away makes a difference.
      want: { include: [], exclude: [...this.#ignore, ...want.exclude], follow: [] },
    });
  }

  async close(): Promise<void> {}
}

/** Asynchronous: a directory's file system may be one that doesn't answer. */
async function checkDirectory({ path, device, inode, birthNs }: LocalClaim): Promise<void> {
  if (!path.startsWith('/') || path !== join(dirname(path), basename(path)))
    throw elsewhere('its path is not absolute and plain');
  if (!LOCAL_TYPES.has((await absent(statfs(path))).type))
    throw elsewhere('its file system is not one of this machine alone');
  const directory = await absent(
    open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW),
  );
  try {
    const found = await directory.stat({ bigint: true });
    if (found.dev !== device || found.ino !== inode || found.birthtimeNs !== birthNs)
      throw elsewhere('the client sees another directory there');
    if (hasMountBelow(path)) throw elsewhere('something is mounted in it');
  } finally {
    await directory.close();
  }
}

async function absent<T>(found: Promise<T>): Promise<T> {
  try {
    return await found;
  } catch (error) {
    throw elsewhere(errnoCodeOf(error) ?? 'it cannot be opened');
  }
}

/**
 * linux/magic.h: ext4, xfs, btrfs, tmpfs, overlayfs, zfs, f2fs, bcachefs. They answer at once, and what is written shows in a file's ctime by the
 * clock of this kernel, which neither FUSE nor a network's file system promises.
 */
const LOCAL_TYPES = new Set([
  0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e,
]);

function elsewhere(reason: string): EngineError {
  return new EngineError('conflict', `Cannot read the build context where it lies: ${reason}`, {
    code: 'context-elsewhere',
    hint: 'Send it as an archive.',
  });
}
