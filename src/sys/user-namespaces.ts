import { closeSync, openSync, writeFileSync } from 'node:fs';
import { type IdMap, idMapKey, idMapText } from './id-map.ts';
import { visitChild } from './namespace-child.ts';

/**
 * User namespaces, one for each map of ids. Descriptors alone keep them, beside the processes inside, so that nothing of them outlives the program;
 * a later one makes others, which are the same to files but not to processes.
 */
export class UserNamespaces {
  readonly #held = new Map<string, number>();

  /** A descriptor, which stays ours. Blocks for some milliseconds at the first call. @throws EngineError "internal" where the kernel makes none. */
  of(map: IdMap): number {
    const key = idMapKey(map);
    const known = this.#held.get(key);
    if (known !== undefined) return known;
    const made = makeUserNamespace(map);
    this.#held.set(key, made);
    return made;
  }

  close(): void {
    for (const fd of this.#held.values()) closeSync(fd);
    this.#held.clear();
  }
}

/** What other processes may open it by, as long as this one lives. */
export function descriptorPath(fd: number): string {
  return `/proc/${process.pid}/fd/${fd}`;
}

/** A thread may not enter a user namespace (setns(2)), and a program with threads may not make one: hence a child. */
function makeUserNamespace({ uids, gids }: IdMap): number {
  return visitChild(['unshare', '--user'], (pid) => {
    writeFileSync(`/proc/${pid}/uid_map`, idMapText(uids));
    writeFileSync(`/proc/${pid}/gid_map`, idMapText(gids));
    return openSync(`/proc/${pid}/ns/user`, 'r');
  });
}
