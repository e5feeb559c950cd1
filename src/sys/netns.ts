import { closeSync, mkdirSync, openSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { EngineError, errnoCodeOf } from '../errors/engine-error.ts';
import { checked, libc } from './libc.ts';
import { mount, mountFlags, unmountIfMounted } from './mount.ts';
import { descriptorPath, visitChild } from './namespace-child.ts';

const CLONE_NEWNET = 0x4000_0000;
const OWN_NAMESPACE = '/proc/thread-self/ns/net';

/**
 * Network namespaces without a process: a thread may leave its own and come back (unshare(2), setns(2)), which other threads don't notice.
 *
 * Only for a Worker that serves nothing else. A thread that is started meanwhile is born into the foreign namespace and keeps it alive,
 * so nothing asynchronous may happen between going and coming back: all of this is synchronous.
 */
export class NamespaceVisitor {
  #home: number | undefined;

  /** `soleThread`: the program has no other work than what it does here, and does it synchronously. */
  constructor({ soleThread = false }: { soleThread?: boolean } = {}) {
    if (Bun.isMainThread && !soleThread)
      throw new EngineError('internal', 'Namespaces are for worker threads only');
  }

  /**
   * Make a namespace and run `visit` inside. A failure leaves nothing.
   *
   * @returns a descriptor of it, which the caller closes: it alone keeps the namespace, so that it goes with the process.
   */
  create(visit: () => void): number {
    const home = this.#openHome();
    checked(libc.unshare(CLONE_NEWNET), 'unshare', 'make a network namespace');
    let fd: number | undefined;
    try {
      fd = openSync(OWN_NAMESPACE, 'r');
      visit();
      return fd;
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      throw error;
    } finally {
      comeHome(home);
    }
  }

  /**
   * As `create`, of a namespace that belongs to a user namespace: those who are root there may do in it what the host's root may in others. A
   * namespace belongs to the user namespace of who makes it (namespaces(7)), and no thread may enter one: a child makes it.
   */
  createOwned(userNamespace: number, visit: () => void): number {
    const enter = ['nsenter', `--user=${descriptorPath(userNamespace)}`, 'unshare', '--net'];
    const fd = visitChild(enter, (pid) => openSync(`/proc/${pid}/ns/net`, 'r'));
    try {
      this.#visit(fd, visit);
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Run `visit` in the namespace that is pinned at `path`. */
  visit<T>(path: string, visit: () => T): T {
    const fd = openSync(path, 'r');
    try {
      return this.#visit(fd, visit);
    } finally {
      closeSync(fd);
    }
  }

  close(): void {
    if (this.#home !== undefined) closeSync(this.#home);
    this.#home = undefined;
  }

  #visit<T>(fd: number, visit: () => T): T {
    const home = this.#openHome();
    checked(libc.setns(fd, CLONE_NEWNET), 'setns', 'enter a network namespace');
    try {
      return visit();
    } finally {
      comeHome(home);
    }
  }

  #openHome(): number {
    this.#home ??= openSync(OWN_NAMESPACE, 'r');
    return this.#home;
  }
}

function comeHome(home: number): void {
  checked(libc.setns(home, CLONE_NEWNET), 'setns', 'return to the network namespace of the host');
}

/** Keep a namespace at `path`, whoever else keeps it. A failure leaves nothing. */
export function pinNamespace(fd: number, path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(path, '', { mode: 0o600 });
  try {
    mount({ source: `/proc/thread-self/fd/${fd}`, target: path, flags: mountFlags.bind });
  } catch (error) {
    removePinnedNamespace(path);
    throw error;
  }
}

/** Whether a namespace lies at `path`; a pin that outlived a reboot is a plain file. */
export function isNamespacePinned(path: string): boolean {
  try {
    return statSync(path).dev === statSync(OWN_NAMESPACE).dev;
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** The kernel takes the namespace down by and by, once no process is in it. Absent is fine. */
export function removePinnedNamespace(path: string): void {
  unmountIfMounted(path, { detach: true });
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoCodeOf(error) !== 'ENOENT') throw error;
  }
}
