import type { Platform } from '../../oci/platform.ts';
import type { DockerfileLines } from '../build-error.ts';
import type { NamedContext } from '../build-request.ts';
import type { BaseImage, BuildStep } from './build-step.ts';
import type { ContextPaths } from './context-paths.ts';
import type { StageState } from './stage-state.ts';

export interface PlanOptions {
  /** '' is the last stage. */
  target: string;
  buildArgs: ReadonlyMap<string, string>;
  /** What is built for. */
  platform: Platform;
  /** This host. */
  buildPlatform: Platform;
  /** More than one platform is built: progress names it. */
  namesPlatform: boolean;
  noCache: boolean;
  noCacheStages: readonly string[];
  namedContexts: ReadonlyMap<string, NamedContext>;
  hasContext: boolean;
  /** Steps tell what a shell beside them would be. */
  debug: boolean;
}

export interface PlanPorts {
  /** `wanted` says where, for errors and progress. @throws EngineError in BuildKit's words. */
  baseImage(name: string, platform: Platform): Promise<BaseImage>;
  /** An image of a layout of the client's, which the Dockerfile knows by `name`. @throws as `baseImage`. */
  layoutImage(name: string, reference: string, platform: Platform): Promise<BaseImage>;
}

/** One instruction of a needed stage, or an ARG above them all, for those who tell of each. */
export interface PlannedLine {
  /** The instruction as it was written. */
  code: string;
  lines: DockerfileLines | undefined;
  /** What it adds to the file system; undefined: configuration alone. */
  step: BuildStep | undefined;
}

export interface BuildPlan {
  platform: Platform;
  state: StageState;
  lines: PlannedLine[];
  /** Build arguments that the Dockerfile knows of. */
  declaredArgs: readonly string[];
  /** Indexes of the stages that are needed. */
  stages: ReadonlySet<number>;
  contexts: ContextPaths;
}
