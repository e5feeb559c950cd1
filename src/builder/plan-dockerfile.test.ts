import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { failureOf } from '../../test/support/failure-of.ts';
import { EngineError } from '../errors/engine-error.ts';
import { emptyProcessConfig } from '../images/making/import-changes.ts';
import type { Digest } from '../oci/digest.ts';
import { hostPlatform, parsePlatform } from '../oci/platform.ts';
import { DockerfileError } from './parser/dockerfile-error.ts';
import type { BaseImage } from './plan/build-step.ts';
import type { PlanJob, PlanRunner, WantedImage } from './plan/plan-job.ts';
import { planPool } from './plan/plan-pool.ts';
import { planDockerfile } from './plan-dockerfile.ts';

const platform = hostPlatform();
const { signal } = new AbortController();
let planner: PlanRunner;
beforeAll(() => {
  planner = planPool();
});
afterAll(async () => {
  await planner.close();
});

function image(name: string, onBuild: string[] = []): BaseImage {
  const config = { ...emptyProcessConfig(), env: ['FROM_BASE=1'], onBuild };
  return {
    name,
    manifestDigest: `sha256:${'a'.repeat(64)}` as Digest,
    chainId: undefined,
    config: { platform, config, diffIds: [], history: [] } as unknown as BaseImage['config'],
  };
}

function jobOf(text: string, change: Partial<PlanJob> = {}): Omit<PlanJob, 'images'> {
  return {
    name: 'Dockerfile',
    text: Buffer.from(text),
    ignore: [],
    platforms: [platform],
    options: {
      target: '',
      buildArgs: new Map(),
      buildPlatform: platform,
      noCache: false,
      noCacheStages: [],
      namedContexts: new Map(),
      hasContext: true,
      debug: false,
    },
    describe: undefined,
    givenPlatforms: [],
    ...change,
  };
}

/** The names in the order in which they were asked for, those of one moment together. */
async function plan(
  job: Omit<PlanJob, 'images'>,
  found: (wanted: WantedImage) => Promise<BaseImage> = async ({ name }) => image(name),
) {
  const asked: string[][] = [];
  let now: string[] | undefined;
  const planned = await planDockerfile(job, {
    planner,
    signal,
    image: async (wanted) => {
      if (now === undefined) {
        now = [];
        asked.push(now);
        queueMicrotask(() => (now = undefined));
      }
      now.push(wanted.layout === undefined ? wanted.name : `${wanted.name} of ${wanted.layout}`);
      return await found(wanted);
    },
  });
  if ('metadata' in planned) throw new Error('an answer and no plan');
  return { ...planned, asked };
}

describe('planDockerfile()', () => {
  test('asks for all images at once, and for those that ONBUILD names when it knows', async () => {
    const text = 'FROM one AS a\nFROM two\nCOPY --from=a /x /\nCOPY --from=three /y /\n';
    const { asked, plans } = await plan(jobOf(text), async ({ name }) =>
      image(name, name === 'two' ? ['COPY --from=four /z /'] : []),
    );
    expect(asked.map((names) => [...names].sort())).toEqual([['one', 'three', 'two'], ['four']]);
    expect(plans[0]?.lines.map(({ code }) => code)).toContain('COPY --from=four /z /');
  });

  const lint = async (text: string) => {
    const job = jobOf(text, { describe: 'lint' });
    const answer = await planDockerfile(job, { planner, signal, image: async ({ name }) => image(name) });
    if (!('metadata' in answer)) throw new Error('a plan and no answer');
    const { 'result.json': json = '', 'result.txt': shown = '', 'result.statuscode': code } = answer.metadata;
    return { ...(JSON.parse(json) as Linted), shown, code };
  };

  interface Linted {
    warnings: { ruleName: string; location: object }[];
    sources: { data: string }[];
    buildError?: { message: string; location: object };
  }

  test('an answer of the checks has their findings with the lines, and what ends the build', async () => {
    const bad = await lint('FROM one\nENV a b\n# x\n');
    expect(bad.warnings).toMatchObject([
      { ruleName: 'LegacyKeyValueFormat', location: { ranges: [{ start: { line: 2 }, end: { line: 2 } }] } },
    ]);
    expect(bad.shown).toContain('   2 | >>> ENV a b\n');
    expect([bad.code, bad.buildError]).toEqual(['1', undefined]);
    const wrong = await lint('FROM one\nCOPY --from=0 a b\nCOPY a\n');
    expect(wrong.buildError).toMatchObject({
      location: { ranges: [{ start: { line: 3 }, end: { line: 3 } }] },
    });
    expect(wrong.code).toBe('1');
    expect((await lint('FROM one\n')).code).toBe('0');
  });

  test('the answer about a large Dockerfile with thousands of findings is bounded, and comes soon', async () => {
    const lines = Array.from({ length: 9000 }, (_, at) => `ENV a${at} b\n# ${'c'.repeat(1200)}\n`);
    const startedMs = performance.now();
    const { warnings, sources, shown } = await lint(`FROM one\n${lines.join('')}`);
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect([warnings.length, sources[0]?.data]).toEqual([9000, '']);
    expect(shown.length).toBeLessThan(2 << 20);
    expect(shown).toMatch(/\n8\d{3} more warnings\n$/);
  }, 20_000);

  test('one platform’s images are asked for beside another’s', async () => {
    const platforms = [parsePlatform('linux/amd64'), parsePlatform('linux/arm64')];
    const { asked, plans } = await plan(jobOf('FROM one\nRUN true\n', { platforms }));
    expect(asked).toEqual([['one', 'one']]);
    expect(plans.map((one) => one.lines[1]?.step?.name)).toEqual([
      '[linux/amd64 2/2] RUN true',
      '[linux/arm64 2/2] RUN true',
    ]);
  });

  test('a plan is the same graph after its way between threads', async () => {
    const { plans } = await plan(jobOf('FROM one AS a\nRUN true\nFROM a\nRUN x\nRUN y\n'));
    const steps = [...new Set(plans[0]?.lines.flatMap(({ step }) => (step === undefined ? [] : [step])))];
    const runs = steps.filter((step) => step.kind === 'run');
    expect(runs.map((step) => step.parent?.id)).toEqual([steps[0]?.id, runs[0]?.id, runs[1]?.id]);
    expect(runs[1]?.parent).toBe(runs[0] as never);
    expect(plans[0]?.state.head).toBe(runs[2] as never);
    expect(runs[2]?.env).toBe(runs[1]?.env as never);
  });

  test('an image’s failure comes back as it was; what is the Dockerfile’s own fault with its lines', async () => {
    const gone = new EngineError('unavailable', 'the registry is gone', { code: 'no-space' });
    const failed = await failureOf(plan(jobOf('FROM one\n'), () => Promise.reject(gone)));
    expect(failed).toBe(gone);
    const wrong = new EngineError('invalid', 'no such thing');
    const placed = await failureOf(
      plan(jobOf('FROM one\n\nFROM two\nCOPY --from=one / /\n'), async ({ name }) => {
        if (name === 'two') throw wrong;
        return image(name);
      }),
    );
    expect(placed).toBeInstanceOf(DockerfileError);
    expect(placed).toMatchObject({
      message: 'no such thing',
      range: { startLine: 3, endLine: 3 },
      cause: wrong,
    });
  });

  test('an image that fails is told of before others have come', async () => {
    const failed = await failureOf(
      plan(jobOf('FROM one AS a\nFROM two\nCOPY --from=a / /\n'), async ({ name }) => {
        if (name === 'one') throw new EngineError('not-found', 'gone');
        return await new Promise<never>(() => undefined);
      }),
    );
    expect(String(failed)).toContain('gone');
  });

  test.each([
    ['FROM one\nRUNN x\n', 'unknown instruction: RUNN', 2],
    ['FROM one\nCOPY --from=b / /\nFROM a AS b\nCOPY --from=b / /\n', 'circular dependency detected', 3],
    ['FROM one\nENV A=${B:?unset}\n', 'unset', 2],
  ])('%j is refused with its lines', async (text, message, line) => {
    const failed = await failureOf(plan(jobOf(text)));
    expect(failed).toBeInstanceOf(DockerfileError);
    expect(failed).toMatchObject({ range: { startLine: line } });
    expect(String(failed)).toContain(message);
  });

  test('tells what the checks find, and what of it is an error', async () => {
    const text = '# check=error=true\nFROM one\nMAINTAINER me\nRUN echo $FROM_BASE\nCOPY left /\n';
    const { warnings, violation } = await plan(jobOf(text, { ignore: ['left'] }));
    expect(warnings.map(({ rule }) => rule)).toEqual(['MaintainerDeprecated', 'CopyIgnoredFile']);
    expect(violation).toBeInstanceOf(DockerfileError);
    expect(String(violation)).toContain(
      'lint violation found for rules: MaintainerDeprecated, CopyIgnoredFile',
    );
  });

  test('describes without an image', async () => {
    const planned = await planDockerfile(jobOf('FROM one AS a\nFROM a AS b\n', { describe: 'targets' }), {
      planner,
      signal,
      image: () => Promise.reject(new Error('asked')),
    });
    expect('metadata' in planned && planned.metadata['result.txt']).toContain('b (default)');
  });

  test('RUNs whose variables are too many to hand on are refused', async () => {
    const text = `FROM one\n${Array.from({ length: 1500 }, (_, at) => `ENV A${at}=x\nRUN true\n`).join('')}`;
    expect(String(await failureOf(plan(jobOf(text))))).toContain('more than 1000000 variables in all');
  });

  test.each([
    ['blank lines', `FROM one\n${'\n'.repeat(8 << 20)}RUN true\n`],
    ['patterns', `FROM one\nENV S=${'a'.repeat(60_000)}\n${'ENV T=${S//a/bb}\n'.repeat(60)}`],
    ['ports', `FROM one\n${'EXPOSE 1-65535\n'.repeat(40)}`],
  ])(
    'a hostile file holds nobody up but its own thread: %s',
    async (_, text) => {
      let [longest, last] = [0, performance.now()];
      const ticks = setInterval(() => {
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
      }, 1);
      const began = performance.now();
      try {
        await plan(jobOf(text)).catch((error: unknown) => expect(error).toBeInstanceOf(DockerfileError));
      } finally {
        clearInterval(ticks);
      }
      expect(longest).toBeLessThan((performance.now() - began) / 3);
    },
    60_000,
  );
});

test('who leaves gets away from a file that takes long', async () => {
  const leaving = new AbortController();
  const text = `FROM one\n${'\n'.repeat(15 << 20)}`;
  const waiting = planDockerfile(jobOf(text), {
    planner,
    signal: leaving.signal,
    image: async ({ name }) => image(name),
  });
  setTimeout(() => leaving.abort(new Error('left')), 20);
  expect(await failureOf(waiting)).toHaveProperty('message', 'left');
});
