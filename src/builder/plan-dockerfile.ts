import { deserializeError, EngineError, serializeError } from '../errors/engine-error.ts';
import type { CheckWarning } from './checks/check-report.ts';
import { atRange, DockerfileError } from './parser/dockerfile-error.ts';
import type { BuildPlan } from './plan/build-plan.ts';
import type { BaseImage } from './plan/build-step.ts';
import type { FoundImage, PlanFailure, PlanJob, PlanRunner, WantedImage } from './plan/plan-job.ts';

export type PlannedDockerfile =
  | { plans: readonly BuildPlan[]; warnings: readonly CheckWarning[]; violation: Error | undefined }
  /** The answer about it. */
  | { metadata: Record<string, string> };

/**
 * Read, plan and check a Dockerfile in another thread. The images that it needs are got here, all at once, and the plan is made when they are known.
 *
 * @throws DockerfileError in BuildKit's words, with lines; what `image` throws.
 */
export async function planDockerfile(
  job: Omit<PlanJob, 'images'>,
  ports: { planner: PlanRunner; image: (wanted: WantedImage) => Promise<BaseImage>; signal: AbortSignal },
): Promise<PlannedDockerfile> {
  const { planner, signal } = ports;
  const images = new NeededImages(ports.image);
  for (;;) {
    const result = await planner.run({ ...job, images: images.found }, { signal });
    signal.throwIfAborted();
    switch (result.kind) {
      case 'missing':
        await images.bring(result.images);
        break;
      case 'failed':
        throw images.errorOf(result.failure);
      case 'described':
        return { metadata: result.metadata };
      case 'planned': {
        const { plans, warnings, violation } = result;
        return { plans, warnings, violation: violation === undefined ? undefined : asError(violation) };
      }
    }
  }
}

class NeededImages {
  readonly found = new Map<string, FoundImage>();
  readonly #image: (wanted: WantedImage) => Promise<BaseImage>;
  readonly #failures = new Map<string, unknown>();
  readonly #pending = new Map<string, Promise<void>>();

  constructor(image: (wanted: WantedImage) => Promise<BaseImage>) {
    this.#image = image;
  }

  /** Until all that were asked for are here, or one has failed: then it may be that which the plan fails with. */
  async bring(wanted: readonly WantedImage[]): Promise<void> {
    for (const one of wanted)
      if (!this.#pending.has(one.key) && !this.found.has(one.key)) this.#pending.set(one.key, this.#get(one));
    const before = this.#failures.size;
    while (this.#pending.size > 0 && this.#failures.size === before)
      await Promise.race(this.#pending.values());
  }

  errorOf(failure: PlanFailure): unknown {
    const original = failure.image === undefined ? undefined : this.#failures.get(failure.image);
    if (original === undefined) return asError(failure);
    return failure.range === undefined ? original : atRange(original, failure.range);
  }

  async #get(wanted: WantedImage): Promise<void> {
    try {
      this.found.set(wanted.key, { image: await this.#image(wanted) });
    } catch (error) {
      this.#failures.set(wanted.key, error);
      this.found.set(wanted.key, { failure: serializeError(error) });
    } finally {
      this.#pending.delete(wanted.key);
    }
  }
}

function asError({ error, range, isDockerfile }: PlanFailure): EngineError {
  if (!isDockerfile) return deserializeError(error);
  const { message, hint } = error;
  return new DockerfileError(message, range, hint === undefined ? {} : { hint });
}
