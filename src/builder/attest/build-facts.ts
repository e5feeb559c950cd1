import { randomUUID } from 'node:crypto';
import { nowNano } from '../../sys/clock.ts';
import type { BaseImages } from '../base-images.ts';
import type { BuildRequest } from '../build-request.ts';
import type { BuildDefinition } from '../load-definition.ts';
import type { BuildPlan } from '../plan/build-plan.ts';
import { withoutLogin } from '../sources/shown-url.ts';
import type { BuildFacts } from './provenance.ts';

export interface FactSources {
  request: Pick<BuildRequest, 'context' | 'parameters'>;
  plans: readonly BuildPlan[];
  definition: Pick<BuildDefinition, 'name' | 'text'>;
  bases: Pick<BaseImages, 'used'>;
  startedNano: bigint;
}

/** How a build was done, up to now. */
export function buildFacts({ request, plans, definition, bases, startedNano }: FactSources): BuildFacts {
  const { context, parameters = {} } = request;
  const steps = plans.flatMap(({ lines }) => lines.flatMap(({ step }) => (step === undefined ? [] : [step])));
  return {
    invocationId: randomUUID(),
    startedNano,
    finishedNano: nowNano(),
    entryPoint: definition.name,
    dockerfile: definition.text,
    contextUrl: context.type === 'remote' ? withoutLogin(context.url) : undefined,
    parameters,
    materials: bases.used,
    steps: steps.map((step) => ({
      id: step.id,
      name: step.name,
      inputs: step.kind === 'image' || step.parent === undefined ? [] : [step.parent.id],
    })),
  };
}
