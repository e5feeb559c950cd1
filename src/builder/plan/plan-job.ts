import type { SerializedError } from '../../errors/engine-error.ts';
import type { Platform } from '../../oci/platform.ts';
import type { BuildRequest } from '../build-request.ts';
import type { CheckWarning } from '../checks/check-report.ts';
import type { SourceRange } from '../parser/source-range.ts';
import type { BuildPlan, PlanOptions } from './build-plan.ts';
import type { BaseImage } from './build-step.ts';

/** Reading, checking and planning a Dockerfile. Plain data: each is run whole in a worker thread, since a hostile file takes seconds. */
export interface PlanJob {
  /** The file's, for answers about it. */
  name: string;
  text: Uint8Array;
  /** Patterns of `.dockerignore`. */
  ignore: readonly string[];
  platforms: readonly Platform[];
  options: Omit<PlanOptions, 'platform' | 'namesPlatform'>;
  /** Only an answer about the file. */
  describe: BuildRequest['describe'];
  /** The platforms that the client gave: what is described depends on whether it did. */
  givenPlatforms: readonly Platform[];
  /** What is known of the images that it needs, by `WantedImage.key`. */
  images: ReadonlyMap<string, FoundImage>;
}

export type FoundImage = { image: BaseImage } | { failure: SerializedError };

/** An image that a plan can't be made without. */
export interface WantedImage {
  key: string;
  /** Of a layout of the client's: where it is there. */
  layout: string | undefined;
  name: string;
  platform: Platform;
}

/** An error with its place, as threads tell it each other. */
export interface PlanFailure {
  error: SerializedError;
  /** A `DockerfileError`'s. */
  range: SourceRange | undefined;
  isDockerfile: boolean;
  /** It is that image's. */
  image: string | undefined;
}

export type PlanJobResult =
  | { kind: 'missing'; images: readonly WantedImage[] }
  | PlannedJob
  | { kind: 'described'; metadata: Record<string, string> }
  | { kind: 'failed'; failure: PlanFailure };

export interface PlannedJob {
  kind: 'planned';
  plans: readonly BuildPlan[];
  warnings: readonly CheckWarning[];
  violation: PlanFailure | undefined;
}

export interface PlanRunner {
  /** A build will come soon: get ready for it. */
  prepare(): void;
  /** @throws the signal's reason. */
  run(job: PlanJob, options: { signal: AbortSignal }): Promise<PlanJobResult>;
  close(): Promise<void>;
}
