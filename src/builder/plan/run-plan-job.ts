import { PatternMatcher } from '../../archive/pattern-matcher.ts';
import { deserializeError, serializeError } from '../../errors/engine-error.ts';
import { formatPlatform, type Platform } from '../../oci/platform.ts';
import { checkDockerfile } from '../checks/check-dockerfile.ts';
import { lintResult } from '../checks/lint-result.ts';
import { describeDockerfile } from '../describe-dockerfile.ts';
import type { Dockerfile } from '../instructions/dockerfile.ts';
import { readInstructions } from '../instructions/read-instructions.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import { parseDockerfile } from '../parser/parse-dockerfile.ts';
import type { BuildPlan } from './build-plan.ts';
import type { BaseImage } from './build-step.ts';
import { planBuild } from './plan-build.ts';
import type { PlanFailure, PlanJob, PlanJobResult, PlannedJob, WantedImage } from './plan-job.ts';

/** Never throws on a Dockerfile: what is wrong with it is the result. */
export async function runPlanJob(job: PlanJob): Promise<PlanJobResult> {
  const images = new JobImages(job);
  try {
    const dockerfile = readInstructions(parseDockerfile(job.text));
    const { describe, options, givenPlatforms: platforms } = job;
    if (describe !== undefined && describe !== 'lint') {
      const asked = { describe, target: options.target, buildArgs: options.buildArgs, platforms };
      return { kind: 'described', metadata: describeDockerfile(dockerfile, asked, job.text) };
    }
    const plans = await plansOf(dockerfile, job, images);
    if (images.missing.length > 0) return { kind: 'missing', images: images.missing };
    const planned = checked(plans, job, images);
    return describe === 'lint' ? linted(job, planned) : planned;
  } catch (error) {
    const failure = images.failureOf(error);
    if (job.describe === 'lint') return linted(job, { warnings: [], violation: failure });
    return { kind: 'failed', failure };
  }
}

/** A file that can't be built has its answer too. */
function linted(
  { name, text }: PlanJob,
  { warnings, violation }: Pick<PlannedJob, 'warnings' | 'violation'>,
): PlanJobResult {
  const range = violation?.range;
  const lines = range === undefined ? undefined : { start: range.startLine, end: range.endLine };
  const failure = violation === undefined ? undefined : { message: violation.error.message, lines };
  return { kind: 'described', metadata: lintResult(warnings, { name, text }, failure) };
}

/** Of all platforms: what one lacks the others are asked for at once. */
async function plansOf(dockerfile: Dockerfile, job: PlanJob, images: JobImages): Promise<BuildPlan[]> {
  const { platforms, options } = job;
  const plans: BuildPlan[] = [];
  for (const platform of platforms) {
    try {
      const own = { ...options, platform, namesPlatform: platforms.length > 1 };
      plans.push(
        await planBuild(dockerfile, own, {
          baseImage: (name, wanted) => images.get({ name, platform: wanted, layout: undefined }),
          layoutImage: (name, layout, wanted) => images.get({ name, platform: wanted, layout }),
        }),
      );
    } catch (error) {
      if (!(error instanceof MissingImage)) throw error;
    }
  }
  return plans;
}

function checked(plans: readonly BuildPlan[], job: PlanJob, images: JobImages): PlannedJob {
  const [plan] = plans;
  const { buildArgs, target, buildPlatform } = job.options;
  const settings = buildArgs.get('BUILDKIT_DOCKERFILE_CHECK');
  const { warnings, error } = checkDockerfile(job.text, {
    buildPlatform,
    targetPlatform: plan?.platform ?? buildPlatform,
    buildArgs,
    target,
    baseImages: images.known,
    ...(settings === undefined || settings === '' ? {} : { settings }),
    ...(plan === undefined ? {} : { stages: plan.stages }),
    ...(job.ignore.length === 0 ? {} : { ignored: new PatternMatcher(job.ignore) }),
  });
  const violation = error === undefined ? undefined : images.failureOf(error);
  return { kind: 'planned', plans, warnings, violation };
}

/** It is asked for, and the plan made once more when it is known. */
class MissingImage extends Error {}

class JobImages {
  readonly missing: WantedImage[] = [];
  /** What the checks look at, by the names that were asked for. */
  readonly known = new Map<string, { env: readonly string[]; hasShell: boolean }>();
  readonly #job: PlanJob;
  readonly #failures = new Map<unknown, string>();

  constructor(job: PlanJob) {
    this.#job = job;
  }

  async get(wanted: Omit<WantedImage, 'key'>): Promise<BaseImage> {
    const key = keyOf(wanted);
    const found = this.#job.images.get(key);
    if (found === undefined) {
      if (!this.missing.some((one) => one.key === key)) this.missing.push({ key, ...wanted });
      throw new MissingImage(key);
    }
    if ('failure' in found) {
      const failure = deserializeError(found.failure);
      this.#failures.set(failure, key);
      throw failure;
    }
    const { config } = found.image.config;
    this.known.set(wanted.name, { env: config.env, hasShell: config.shell !== undefined });
    return found.image;
  }

  failureOf(error: unknown): PlanFailure {
    const cause = error instanceof Error ? error.cause : undefined;
    return {
      error: serializeError(error),
      range: error instanceof DockerfileError ? error.range : undefined,
      isDockerfile: error instanceof DockerfileError,
      image: this.#failures.get(error) ?? this.#failures.get(cause),
    };
  }
}

function keyOf({
  name,
  layout,
  platform,
}: {
  name: string;
  layout: string | undefined;
  platform: Platform;
}): string {
  return JSON.stringify([name, layout ?? '', formatPlatform(platform)]);
}
