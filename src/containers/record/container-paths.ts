import { join } from 'node:path';

/** Where the files of a container lie. Data root: durable; exec root: tmpfs, kept short for socket paths. */
export class ContainerPaths {
  readonly #dataRoot: string;
  readonly #execRoot: string;

  constructor(roots: { dataRoot: string; execRoot: string }) {
    this.#dataRoot = roots.dataRoot;
    this.#execRoot = roots.execRoot;
  }

  get all(): string {
    return join(this.#dataRoot, 'containers');
  }

  get notes(): string {
    return join(this.#execRoot, 'notes');
  }

  get execNotes(): string {
    return join(this.#execRoot, 'exec-notes');
  }

  get healthNotes(): string {
    return join(this.#execRoot, 'health');
  }

  get rootfsAll(): string {
    return join(this.#execRoot, 'rootfs');
  }

  /** Shared memory of those that let others join their IPC namespace. */
  get sharedMemory(): string {
    return join(this.#execRoot, 'shm');
  }

  directory(id: string): string {
    return join(this.all, id);
  }

  log(id: string): string {
    return join(this.directory(id), 'container.log');
  }

  hosts(id: string): string {
    return join(this.directory(id), 'hosts');
  }

  hostname(id: string): string {
    return join(this.directory(id), 'hostname');
  }

  resolvConf(id: string): string {
    return join(this.directory(id), 'resolv.conf');
  }

  rootfs(id: string): string {
    return join(this.rootfsAll, id);
  }

  get tasksAll(): string {
    return join(this.#execRoot, 'tasks');
  }

  /** Parent of a container's task folders. */
  tasks(id: string): string {
    return join(this.tasksAll, id);
  }

  task(id: string, generation: number): string {
    return join(this.tasks(id), String(generation));
  }

  get mountsAll(): string {
    return join(this.#execRoot, 'mounts');
  }

  /** Where sources lie that are mounted for a container's start alone. */
  mounts(id: string): string {
    return join(this.mountsAll, id);
  }

  /** An empty directory for others to mount on, each in a mount namespace of its own. Made when it is needed. */
  get scratch(): string {
    return join(this.#execRoot, 'scratch');
  }
}
