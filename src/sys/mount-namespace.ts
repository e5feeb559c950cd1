import { closeSync, mkdirSync, openSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, relative } from 'node:path';
import { EngineError, errnoCodeOf, messageOf } from '../errors/engine-error.ts';
import { bootId } from './clock.ts';
import { errno } from './errno.ts';
import { execute } from './execute.ts';
import { checked, libc, SyscallError } from './libc.ts';
import { bindMount, listMounts, type MountInfo, makePrivate, unmount, unmountIfMounted } from './mount.ts';

export interface MountNamespaceRoots {
  /** On tmpfs, as a rule; holds the pin. Made when it is absent. */
  execRoot: string;
  dataRoot: string;
}

export interface MountNamespaceOptions extends MountNamespaceRoots {
  /** The whole command line to start again inside: interpreter, its flags, script, arguments. */
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
}

const LOCK_EX = 2;

/**
 * Have this process run in the mount namespace of its exec root. Call it before anything else: unless we are inside already, it
 * replaces the process (same pid, same open fds) by `argv`, started inside, and does not return.
 *
 * The namespace is pinned at `<execRoot>/mount-namespace/pin`, so it outlives the daemon with all that is mounted in it, and is entered
 * again at the next start. Both roots are private in it; propagation of everything else stays the host's, both ways.
 *
 * A threaded process can neither enter nor leave a mount namespace (setns(2): EINVAL), hence the exec of nsenter(1).
 *
 * @throws EngineError "forbidden" without CAP_SYS_ADMIN, "internal" when a step fails.
 */
export function ensureMountNamespace(options: MountNamespaceOptions): void {
  const roots = makeRoots(options);
  if (isInside(roots.execRoot)) {
    // A data root that was chosen after the namespace was made came in by propagation, if at all.
    makePrivateMount(roots.execRoot);
    makePrivateMount(roots.dataRoot);
    return;
  }
  prepare(roots);
  const command = [
    programPath('nsenter'),
    `--mount=${pinPath(roots.execRoot)}`,
    '--',
    // Entering resets the working directory to `/`.
    programPath('env'),
    `--chdir=${process.cwd()}`,
    ...options.argv,
  ];
  execute(command, options.env);
}

/** Whether the calling process is in the namespace that belongs to this exec root. */
export function isInside(execRoot: string): boolean {
  // The pin itself can't be seen from inside: the kernel refuses a namespace's own file within it. So its number is on record.
  try {
    return readFileSync(recordPath(execRoot), 'utf8') === recordOf('/proc/self/ns/mnt');
  } catch {
    return false;
  }
}

/**
 * Undo what `ensureMountNamespace` made on the host. Call it outside, when daemon and containers are gone: what is mounted inside goes
 * too. Absent is fine.
 */
export function removeMountNamespace(roots: MountNamespaceRoots): void {
  unmountIfMounted(pinPath(roots.execRoot), { detach: true });
  for (const path of [roots.execRoot, roots.dataRoot]) {
    if (isMountedOnItself(path, listMounts())) unmount(path, { detach: true });
  }
}

function makeRoots(roots: MountNamespaceRoots): MountNamespaceRoots {
  try {
    mkdirSync(roots.execRoot, { recursive: true, mode: 0o711 });
    mkdirSync(roots.dataRoot, { recursive: true, mode: 0o710 });
    return { execRoot: realpathSync(roots.execRoot), dataRoot: realpathSync(roots.dataRoot) };
  } catch (error) {
    const code = errnoCodeOf(error);
    if (error instanceof Error && (code === 'EACCES' || code === 'EPERM')) throw notPermitted(error);
    throw new EngineError('internal', `Cannot make the folders of the engine: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function prepare(roots: MountNamespaceRoots): void {
  const folder = join(roots.execRoot, 'mount-namespace');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const lock = openSync(folder, 'r');
  try {
    checked(libc.flock(lock, LOCK_EX), 'flock', `lock ${folder}`);
    makePrivateMount(roots.execRoot);
    makePrivateMount(roots.dataRoot);
    if (!isPinned(roots.execRoot)) pinNew(roots.execRoot);
    writeFileSync(recordPath(roots.execRoot), recordOf(pinPath(roots.execRoot)));
  } finally {
    closeSync(lock);
  }
}

/** A pin of before a reboot is a plain file, on whose device no namespace lies. */
function isPinned(execRoot: string): boolean {
  try {
    return statSync(pinPath(execRoot)).dev === statSync('/proc/self/ns/mnt').dev;
  } catch (error) {
    if (errnoCodeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function pinNew(execRoot: string): void {
  const pin = pinPath(execRoot);
  writeFileSync(pin, '', { mode: 0o600 });
  const make = [programPath('unshare'), `--mount=${pin}`, '--propagation', 'unchanged', programPath('true')];
  let words = '';
  for (const prefix of [[], ...onEachCpu()]) {
    const made = Bun.spawnSync([...prefix, ...make]);
    if (made.exitCode === 0 && isPinned(execRoot)) return;
    words ||= made.stderr.toString().trim();
  }
  throw new EngineError('internal', `Cannot pin a mount namespace at ${pin}: ${words}`);
}

/**
 * Linux may pin a namespace only where an older one lives, and since 6.18 tells older by ids that each CPU takes from a batch of its own
 * (fs/namespace.c mnt_ns_loop, kernel/nstree.c): within a namespace that isn't the machine's first, making one works on some CPUs only.
 */
function onEachCpu(): string[][] {
  const taskset = Bun.which('taskset');
  return taskset === null ? [] : cpus().map((_, cpu) => [taskset, '--cpu-list', String(cpu)]);
}

/** Mount `path` on itself unless it is a mount point, and stop what is mounted below it from spreading. */
function makePrivateMount(path: string): void {
  const mount = mountAt(path, listMounts());
  if (mount !== undefined && !mount.propagates) return;
  try {
    if (mount === undefined) bindMount(path, path);
    makePrivate(path);
  } catch (error) {
    if (error instanceof SyscallError && error.errno === errno.EPERM) throw notPermitted(error);
    throw error;
  }
}

function notPermitted(cause: Error): EngineError {
  return new EngineError('forbidden', `${cause.message} (needs root with CAP_SYS_ADMIN)`, {
    hint: 'Start the engine as root, or through sudo.',
    cause,
  });
}

/** What lies on top at `path`. */
function mountAt(path: string, mounts: readonly MountInfo[]): MountInfo | undefined {
  return mounts.findLast(({ target }) => target === path);
}

/** Tells our mount of a folder on itself from a file system that somebody else mounted there. */
export function isMountedOnItself(path: string, mounts: readonly MountInfo[]): boolean {
  const mount = mountAt(path, mounts);
  const parent = mounts.find(({ id }) => id === mount?.parentId);
  if (mount === undefined || parent === undefined) return false;
  return mount.device === parent.device && mount.root === join(parent.root, relative(parent.target, path));
}

function pinPath(execRoot: string): string {
  return join(execRoot, 'mount-namespace', 'pin');
}

function recordPath(execRoot: string): string {
  return join(execRoot, 'mount-namespace', 'id');
}

/** Namespace numbers start anew with each boot. */
function recordOf(namespaceFile: string): string {
  return `${bootId()} ${statSync(namespaceFile).ino}\n`;
}

function programPath(name: string): string {
  const path = Bun.which(name);
  if (path === null)
    throw new EngineError('internal', `Cannot find ${name}`, { hint: 'Install util-linux and coreutils.' });
  return path;
}
