import { describe, expect, test } from 'bun:test';
import { failureOf } from '../../../test/support/failure-of.ts';
import { emptyProcessConfig } from '../../images/making/import-changes.ts';
import type { Digest } from '../../oci/digest.ts';
import { readInstructions } from '../instructions/read-instructions.ts';
import { parseDockerfile } from '../parser/parse-dockerfile.ts';
import type { BuildPlan, PlanOptions } from './build-plan.ts';
import type { BaseImage } from './build-step.ts';
import { planBuild } from './plan-build.ts';

const platform = { os: 'linux', architecture: 'amd64' };

function image(name: string, change: Partial<ReturnType<typeof emptyProcessConfig>> = {}): BaseImage {
  return {
    name,
    manifestDigest: `sha256:${'1'.repeat(64)}` as Digest,
    chainId: undefined,
    config: {
      platform,
      created: undefined,
      author: undefined,
      config: { ...emptyProcessConfig(), ...change },
      diffIds: [],
      history: [],
    },
  };
}

async function plan(
  text: string,
  options: Partial<PlanOptions> = {},
  bases: Record<string, BaseImage> = {},
): Promise<BuildPlan & { asked: string[] }> {
  const asked: string[] = [];
  const made = await planBuild(
    readInstructions(parseDockerfile(text)),
    {
      target: '',
      buildArgs: new Map(),
      platform,
      buildPlatform: platform,
      namesPlatform: false,
      noCache: false,
      noCacheStages: [],
      namedContexts: new Map(),
      hasContext: true,
      debug: false,
      ...options,
    },
    {
      baseImage: async (name) => {
        asked.push(name);
        return bases[name] ?? image(name);
      },
      layoutImage: async (name, reference) => {
        asked.push(`${name} of ${reference}`);
        return bases[name] ?? image(name);
      },
    },
  );
  return { ...made, asked };
}

const stepNames = ({ lines }: BuildPlan) =>
  lines.flatMap(({ step }) => (step === undefined ? [] : [step.name]));

describe('planBuild()', () => {
  test('asks for the images of needed stages alone, each once', async () => {
    const text = 'FROM a AS x\nFROM b AS y\nFROM a\nCOPY --from=x / /\nCOPY --from=c / /c\n';
    expect((await plan(text)).asked.sort()).toEqual(['a', 'c']);
  });

  test('steps tell of the shell that the stage has there, where it is wanted', async () => {
    const text =
      'FROM a\nCOPY f /\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nENV K=v\nUSER me\nWORKDIR /w\nRUN true\nSHELL ["-c"]\nRUN x\n';
    const shells = (made: BuildPlan) => made.lines.flatMap(({ step }) => step?.shell ?? []);
    const [copy, , run, last] = shells(await plan(text, { debug: true }));
    expect(copy).toEqual({
      args: ['/bin/sh'],
      env: [expect.stringMatching(/^PATH=/)],
      workdir: '/',
      user: '',
    });
    expect(run).toMatchObject({ args: ['/bin/bash'], workdir: '/w', user: 'me' });
    expect(run?.env).toContain('K=v');
    expect(last?.args).toEqual(['/bin/sh']);
    expect(shells(await plan(text))).toEqual([]);
  });

  test('names steps as BuildKit does', async () => {
    const text = 'FROM a AS x\nARG V=1\nRUN echo $V "q"\nWORKDIR /w\nWORKDIR /\nFROM x\nCOPY f .\n';
    expect(stepNames(await plan(text))).toEqual([
      '[x 1/4] FROM a',
      '[x 2/4] RUN echo 1 "q"',
      '[x 3/4] WORKDIR /w',
      '[x 3/4] WORKDIR /w',
      '[stage-1 1/1] COPY f .',
    ]);
  });

  test('refuses a cycle, a missing target and a number without stage in BuildKit’s words', async () => {
    const failure = (text: string, options = {}) =>
      plan(text, options).then(
        () => 'no failure',
        (error: Error) => error.message,
      );
    expect(await failure('FROM a AS x\nCOPY --from=y / /\nFROM a AS y\nCOPY --from=x / /\n')).toBe(
      'circular dependency detected on stage: x',
    );
    expect(await failure('FROM a', { target: 'zz' })).toBe('target stage "zz" could not be found');
    expect(await failure('FROM a\nCOPY --from=7 / /\n')).toBe('invalid stage index 7');
  });

  test('four thousand stages are refused, a chain of a thousand is planned', async () => {
    const chain = (count: number) =>
      Array.from(
        { length: count },
        (_, at) => `FROM ${at === 0 ? 'scratch' : `s${at - 1}`} AS s${at}\nCOPY f /\n`,
      ).join('');
    expect(await failureOf(plan(chain(4000)))).toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('at most 2000'),
    });
    expect((await plan(chain(1000))).state.history.length).toBe(1000);
  });

  test('ARGs and ENV reach a RUN in the order in which they were set; history knows the ARGs', async () => {
    const { state } = await plan('FROM a\nARG A=1\nENV E=$A\nARG E=2\nRUN x\n');
    expect(state.history.map(({ createdBy }) => createdBy)).toEqual([
      'ARG A=1',
      'ENV E=1',
      'ARG E=2',
      'RUN |2 A=1 E=2 /bin/sh -c x # buildkit',
    ]);
    expect(state.head?.kind === 'run' && state.head.env.slice(1)).toEqual(['A=1', 'E=2']);
    expect(state.config.env.slice(1)).toEqual(['E=1']);
  });

  test('ONBUILD triggers of the base run first and are gone then', async () => {
    const bases = { a: image('a', { onBuild: ['ENV X=1', 'RUN y'] }) };
    const { state } = await plan('FROM a\nRUN z\n', {}, bases);
    expect(state.history.map(({ createdBy }) => createdBy)).toEqual([
      'ENV X=1',
      'RUN /bin/sh -c y # buildkit',
      'RUN /bin/sh -c z # buildkit',
    ]);
    expect(state.config.onBuild).toEqual([]);
  });

  test('a named context takes the place of an image and of a stage', async () => {
    const namedContexts = new Map([
      ['a', { type: 'image', reference: 'b' } as const],
      ['x', { type: 'local', name: 'x' } as const],
    ]);
    const text = 'FROM a AS x\nRUN no\nFROM a\nCOPY --from=x f /\n';
    const made = await plan(text, { namedContexts });
    expect(made.asked).toEqual(['b']);
    expect([...made.contexts.keys()]).toEqual(['x']);
    expect(stepNames(made).some((name) => name.includes('RUN no'))).toBe(false);
  });

  test('--no-cache-filter means the stages of that name', async () => {
    const made = await plan('FROM a AS x\nRUN 1\nFROM x\nRUN 2\n', { noCacheStages: ['X'] });
    const ignored = made.lines.flatMap(({ step }) => (step?.kind === 'run' ? [step.ignoreCache] : []));
    expect(ignored).toEqual([true, true, false]);
  });
});

describe('a Dockerfile whose variables grow', () => {
  test('fails before it fills the memory', async () => {
    const grown = `FROM scratch\nENV A=${'a'.repeat(1000)}\n${'ENV A=$A$A\n'.repeat(9)}`;
    const failure = await failureOf(
      plan(grown + Array.from({ length: 100 }, (_, at) => `ENV B${at}=$A\n`).join('')),
    );
    expect(failure).toMatchObject({
      message: 'Cannot build this image: its configuration would be larger than 8388608 bytes',
    });
    expect((await plan(grown)).state.config.env[1]?.length).toBe(512_002);
  });

  test('leaves the stages that it stands on as they were', async () => {
    const text =
      'FROM scratch AS one\nENV A=1\nLABEL l=1\nFROM one AS two\nENV A=2\nLABEL l=2 __proto__=x\nFROM one\n';
    const { state } = await plan(text);
    expect([state.config.env.at(-1), state.config.labels]).toEqual(['A=1', { l: '1' }]);
    const two = (await plan(text, { target: 'two' })).state.config;
    expect([two.env.at(-1), JSON.stringify(two.labels)]).toEqual(['A=2', '{"l":"2","__proto__":"x"}']);
  });

  test('keeps their order, and of a doubled one the first place', async () => {
    const bases = { a: image('a', { env: ['A=1', 'B=1', 'A=2', 'C'] }) };
    const { state } = await plan('FROM a\nENV A=3 D=1 C=1\nENV D=2 B=2\n', {}, bases);
    expect(state.config.env.filter((entry) => !entry.startsWith('PATH='))).toEqual([
      'A=3',
      'B=2',
      'A=2',
      'C=1',
      'D=2',
    ]);
  });
});
