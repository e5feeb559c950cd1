import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type IdMap, idMapKey, idMapText } from './id-map.ts';
import { visitChild } from './namespace-child.ts';
import { isNamespacePinned, pinNamespace, removePinnedNamespace } from './netns.ts';

/**
 * User namespaces, one for each map of ids. Without a directory, descriptors alone keep them, beside the processes inside: a later program makes
 * others, which are the same to files, but not to processes and other namespaces. In a directory they are pinned, and found again.
 */
export class UserNamespaces {
  readonly #directory: string | undefined;
  readonly #held = new Map<string, number>();

  /** `directory`: in a mount that nobody else sees; made when it is needed. */
  constructor(directory?: string) {
    this.#directory = directory;
  }

  /** A descriptor, which stays ours. Blocks for some milliseconds at the first call. @throws EngineError "internal" where the kernel makes none. */
  of(map: IdMap): number {
    const key = idMapKey(map);
    const known = this.#held.get(key);
    if (known !== undefined) return known;
    const made = this.#directory === undefined ? makeUserNamespace(map) : this.#pinned(this.#directory, map);
    this.#held.set(key, made);
    return made;
  }

  /** Let go of the pins of all maps but these. */
  keep(maps: readonly IdMap[]): void {
    if (this.#directory === undefined) return;
    const wanted = new Set(maps.map(pinName));
    for (const name of namesIn(this.#directory))
      if (!wanted.has(name)) removePinnedNamespace(join(this.#directory, name));
  }

  #pinned(directory: string, map: IdMap): number {
    const path = join(directory, pinName(map));
    if (isNamespacePinned(path)) return openSync(path, 'r');
    const made = makeUserNamespace(map);
    try {
      pinNamespace(made, path);
      return made;
    } catch (error) {
      closeSync(made);
      throw error;
    }
  }

  close(): void {
    for (const fd of this.#held.values()) closeSync(fd);
    this.#held.clear();
  }
}

function pinName(map: IdMap): string {
  return createHash('sha256').update(idMapKey(map)).digest('hex').slice(0, 16);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** A thread may not enter a user namespace (setns(2)), and a program with threads may not make one: hence a child. */
function makeUserNamespace({ uids, gids }: IdMap): number {
  return visitChild(['unshare', '--user'], (pid) => {
    writeFileSync(`/proc/${pid}/uid_map`, idMapText(uids));
    writeFileSync(`/proc/${pid}/gid_map`, idMapText(gids));
    return openSync(`/proc/${pid}/ns/user`, 'r');
  });
}
