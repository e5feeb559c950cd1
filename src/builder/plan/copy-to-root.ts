import type { Platform } from '../../oci/platform.ts';
import type { FileStep, StepSource } from './build-step.ts';
import { digestOf } from './step-id.ts';

/** All of a source as a tree of its own, on nothing. */
export function copyToRoot(source: StepSource, name: string, platform: Platform): FileStep {
  const options = {
    command: 'COPY',
    destination: '/',
    workdir: '/',
    chown: '',
    chmod: '',
    parents: false,
    exclude: [],
    unpack: undefined,
  } as const;
  return {
    kind: 'file',
    id: digestOf(['whole', source]),
    name,
    lines: undefined,
    platform,
    ignoreCache: false,
    parent: undefined,
    link: true,
    work: { kind: 'copy', sources: [source], options },
  };
}

/** A repository as a tree of its own. */
export function remoteTree(url: string, platform: Platform): FileStep {
  const source = { kind: 'git', url, checksum: undefined, keepGitDir: false } as const;
  return copyToRoot(source, `[context] load ${url}`, platform);
}
