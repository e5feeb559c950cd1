import { readFileSync, realpathSync } from 'node:fs';
import { EngineError } from '../../errors/engine-error.ts';
import type { SourcePlace, SpecBind } from './spec-input.ts';

interface SourceMount {
  mountPoint: string;
  /** Of the mount, not of its file system. */
  flags: string[];
  /** proc(5): `shared:7 master:3`. */
  optional: string;
}

/** What crun (1.8) takes away from a bind when it sets the flags that are asked for, and the kernel and runc leave. */
const KEPT = ['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime'];

/** The mounts that the sources of a container's binds lie on, read once and only when they are needed. */
export class SourceMounts {
  #mounts: SourceMount[] | undefined;

  /** Flags that hold for a source already, and must be asked for again to hold in the container. */
  flags(source: string, found: SourcePlace | undefined): string[] {
    const { flags } = this.#of(source, found);
    return KEPT.filter((flag) => flags.includes(flag));
  }

  /** The bind as it can be. @throws EngineError "invalid", in Docker's words, when the source's mount has no peers to be shared with. */
  withPropagation(bind: SpecBind): SpecBind {
    const { source, propagation, found } = bind;
    if (propagation === undefined || propagation.endsWith('private')) return bind;
    const { mountPoint, optional } = this.#of(source, found);
    const shared = /\bshared:\d+/.test(optional);
    if (shared || (propagation.endsWith('slave') && /\bmaster:\d+/.test(optional))) return bind;
    if (bind.propagationImplied === true) return { ...bind, propagation: 'rprivate' };
    const wanted = propagation.endsWith('shared') ? 'a shared mount' : 'a shared or slave mount';
    throw new EngineError('invalid', `path ${source} is mounted on ${mountPoint} but it is not ${wanted}`);
  }

  #of(source: string, found: SourcePlace | undefined): SourceMount {
    const path = found?.realPath ?? realPath(source);
    let best: SourceMount = { mountPoint: '/', flags: [], optional: '' };
    for (const mount of this.#all()) {
      const { mountPoint } = mount;
      const below = path === mountPoint || path.startsWith(mountPoint === '/' ? '/' : `${mountPoint}/`);
      // Of several on one another, the last counts.
      if (below && mountPoint.length >= best.mountPoint.length) best = mount;
    }
    return best;
  }

  #all(): SourceMount[] {
    this.#mounts ??= readMounts();
    return this.#mounts;
  }
}

function realPath(source: string): string {
  try {
    return realpathSync(source);
  } catch {
    return source;
  }
}

function readMounts(): SourceMount[] {
  const mounts: SourceMount[] = [];
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before = ''] = line.split(' - ', 1);
    const [, , , , escaped, flags = '', ...optional] = before.split(' ');
    if (escaped === undefined) continue;
    const mountPoint = escaped.replace(/\\(\d{3})/g, (_all, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    mounts.push({ mountPoint, flags: flags.split(','), optional: optional.join(' ') });
  }
  return mounts;
}
