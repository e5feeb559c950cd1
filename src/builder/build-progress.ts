import type { Digest } from '../oci/digest.ts';

/** One step of a build as its watchers see it. BuildKit's `Vertex`; an update of the same `digest` replaces the one before. */
export interface BuildVertex {
  /** Names the step within one build; stable between builds of the same graph. */
  digest: Digest;
  /** Steps that this one waits for. */
  inputs: readonly Digest[];
  /** `[build 2/4] RUN make`, `[internal] load build context` */
  name: string;
  /** The Dockerfile instruction's lines in the build's Dockerfile, from 1; undefined for internal steps. */
  lines?: { start: number; end: number };
  startedNano?: bigint;
  completedNano?: bigint;
  /** Its result was there before. */
  cached: boolean;
  /** Why it failed; `completedNano` is set then. */
  error?: string;
  /** Where it was or wasn't cached: for people, one line. */
  explanation?: string;
}

/** Progress of a transfer within a vertex: bytes, or 0 where there is no measure. BuildKit's `VertexStatus`. */
export interface BuildTransfer {
  id: string;
  vertex: Digest;
  name: string;
  current: number;
  total: number;
  timeNano: bigint;
  startedNano?: bigint;
  completedNano?: bigint;
}

/** What a step printed. */
export interface BuildLog {
  vertex: Digest;
  /** 1: stdout, 2: stderr. */
  stream: 1 | 2;
  data: Uint8Array;
  timeNano: bigint;
}

/** A finding of the build checks, or another word of caution. */
export interface BuildWarning {
  vertex: Digest | undefined;
  /** 1 is the gravest. */
  level: number;
  /** `FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)` */
  short: string;
  detail: readonly string[];
  url: string;
  lines?: { start: number; end: number };
}

/** The Dockerfile of the build, told once it is read: what `lines` are lines of. */
export interface BuildDockerfile {
  name: string;
  data: Uint8Array;
}

/** Every instruction of the stages that are needed, ARGs above them first, in the Dockerfile's order, told once before the first of them begins. */
export interface BuildPlanLines {
  /** Build arguments that the Dockerfile knows of, in stages that aren't needed too. */
  declaredArgs: readonly string[];
  lines: readonly {
    /** The instruction as it is written. */
    code: string;
    lines: { start: number; end: number } | undefined;
    /** The step that it became; undefined: it changes the image's configuration alone. */
    vertex: Digest | undefined;
  }[];
}

export type BuildEvent =
  | { type: 'dockerfile'; dockerfile: BuildDockerfile }
  | ({ type: 'plan' } & BuildPlanLines)
  | { type: 'vertex'; vertex: BuildVertex }
  | { type: 'transfer'; transfer: BuildTransfer }
  | { type: 'log'; log: BuildLog }
  | { type: 'warning'; warning: BuildWarning };

/** Takes events in order; must not block. */
export type BuildWatcher = (event: BuildEvent) => void;
