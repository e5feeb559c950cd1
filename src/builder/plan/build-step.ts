import type { LayerBlob } from '../../images/store/image-store.ts';
import type { ChainId, Digest } from '../../oci/digest.ts';
import type { ImageConfig } from '../../oci/image-config.ts';
import type { Platform } from '../../oci/platform.ts';
import type { DockerfileLines } from '../build-error.ts';
import type { CopyInstructionOptions } from '../copy/plan-copy.ts';
import type { CacheSharing, RunNetwork, RunSecurity } from '../instructions/instruction.ts';

/** An image that stages start from, wholly here and held for the build. */
export interface BaseImage {
  /** As the Dockerfile names it, with its tag: `docker.io/library/busybox:latest`. */
  name: string;
  manifestDigest: Digest;
  chainId: ChainId | undefined;
  config: ImageConfig;
  /** It is none of the engine's images, but was brought from a layout of the client's for the named context of that name. */
  layout?: { context: string; layers: readonly LayerBlob[] };
}

/** What a RUN is called, unless it is told otherwise. */
export const BUILD_HOSTNAME = 'buildkitsandbox';

export interface StepHead {
  /** Names the vertex in progress. */
  id: Digest;
  /** `[build 2/4] RUN make` */
  name: string;
  lines: DockerfileLines | undefined;
  platform: Platform;
  /** `--no-cache` or `--no-cache-filter` applies. */
  ignoreCache: boolean;
  /** Undefined: nobody wants one. */
  shell?: StepShell | undefined;
}

/** A shell as the stage has it where the step is. */
export interface StepShell {
  /** SHELL's program, without what makes it read one command. */
  args: readonly string[];
  env: readonly string[];
  workdir: string;
  user: string;
}

/** Makes one file system of others. Plain description: nothing has happened yet. */
export type BuildStep = ImageStep | RunStep | FileStep;

export interface ImageStep extends StepHead {
  kind: 'image';
  image: BaseImage;
}

/** A tree that a step reads from. `step: undefined` is the empty one. */
export type StepTree =
  /** Files of the session's context; `context` is its name there. */
  { kind: 'context'; context: ContextName } | { kind: 'step'; step: BuildStep | undefined };

/** Which of the build's contexts: the main one, or a named one of that name. */
export type ContextName = { main: true } | { main: false; name: string };

export type StepSource =
  | { kind: 'path'; tree: StepTree; path: string }
  | { kind: 'text'; name: string; data: string }
  | { kind: 'url'; url: string; checksum: string | undefined }
  | { kind: 'git'; url: string; checksum: string | undefined; keepGitDir: boolean };

/** COPY, ADD, WORKDIR. */
export interface FileStep extends StepHead {
  kind: 'file';
  parent: BuildStep | undefined;
  /** `--link`: the parent's files play no part. */
  link: boolean;
  work:
    | { kind: 'copy'; sources: readonly StepSource[]; options: CopyInstructionOptions }
    | { kind: 'directory'; path: string; user: string };
}

export type StepMount =
  | { type: 'bind'; tree: StepTree; source: string; target: string; readOnly: boolean }
  | {
      type: 'cache';
      id: string;
      tree: StepTree;
      source: string;
      target: string;
      sharing: CacheSharing;
      readOnly: boolean;
      mode: number;
      uid: number;
      gid: number;
    }
  | { type: 'tmpfs'; target: string; sizeBytes: bigint }
  | {
      type: 'secret';
      id: string;
      /** Undefined: only as a variable. */
      target: string | undefined;
      env: string | undefined;
      required: boolean;
      mode: number;
      uid: number;
      gid: number;
    }
  | { type: 'ssh'; id: string; target: string; required: boolean; mode: number; uid: number; gid: number };

export interface RunStep extends StepHead {
  kind: 'run';
  parent: BuildStep | undefined;
  args: readonly string[];
  /** `NAME=value`, in order. */
  env: readonly string[];
  /** Proxy variables that aren't part of the cache key. */
  proxyEnv: readonly string[];
  hostname: string;
  workdir: string;
  user: string;
  mounts: readonly StepMount[];
  network: RunNetwork;
  security: RunSecurity;
}

/** Steps that must be done before this one, each once. */
export function inputsOf(step: BuildStep): BuildStep[] {
  if (step.kind === 'image') return [];
  const trees =
    step.kind === 'run'
      ? step.mounts.flatMap((mount) => (mount.type === 'bind' || mount.type === 'cache' ? [mount.tree] : []))
      : step.work.kind === 'copy'
        ? step.work.sources.flatMap((source) => (source.kind === 'path' ? [source.tree] : []))
        : [];
  const steps = trees.flatMap((tree) => (tree.kind === 'step' && tree.step !== undefined ? [tree.step] : []));
  return [...new Set([...(step.parent === undefined ? [] : [step.parent]), ...steps])];
}

/** What a step needs, each once and after its own inputs; itself last. */
export function inputsFirst(last: BuildStep): BuildStep[] {
  const seen = new Set<Digest>([last.id]);
  const order: BuildStep[] = [];
  const path = [{ step: last, left: inputsOf(last) }];
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const next = top.left.shift();
    if (next === undefined) {
      order.push(top.step);
      path.pop();
    } else if (!seen.has(next.id)) {
      seen.add(next.id);
      path.push({ step: next, left: inputsOf(next) });
    }
  }
  return order;
}
