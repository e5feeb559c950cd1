import { describe, expect, test } from 'bun:test';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import { parseDockerfile } from '../parser/parse-dockerfile.ts';
import type { Instruction } from './instruction.ts';
import { readInstruction, readInstructions } from './read-instructions.ts';
import { suggest } from './suggest.ts';

const only = (text: string): Instruction | undefined =>
  readInstructions(parseDockerfile(`FROM scratch\n${text}\n`)).stages[0]?.instructions[0];

function refusal(text: string): string {
  try {
    readInstructions(parseDockerfile(text));
    return 'accepted';
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    return `${error.message}@${error.range?.startLine}-${error.range?.endLine}`;
  }
}

describe('readInstructions()', () => {
  test('stages, names and what stands above them', () => {
    const text = 'ARG V=1\n# base the first\nFROM --platform=$BUILDPLATFORM a:$V AS Base\nRUN x\nfrom base\n';
    const { metaArgs, stages } = readInstructions(parseDockerfile(text));
    expect(metaArgs.map(({ args }) => args)).toEqual([[{ key: 'V', value: '1', docComment: '' }]]);
    expect(stages).toMatchObject([
      {
        name: 'base',
        spelledName: 'Base',
        base: 'a:$V',
        platform: '$BUILDPLATFORM',
        docComment: 'the first',
      },
      { name: '', base: 'base', platform: '', keyword: 'from', range: { startLine: 5, endLine: 5 } },
    ]);
  });

  test.each<[string, Record<string, unknown>]>([
    [
      'RUN --mount=type=cache,target=/a --mount=type=ssh --network=none --security=insecure --device=a.b/c=d,required x',
      {
        mounts: ['type=cache,target=/a', 'type=ssh'],
        network: 'none',
        security: 'insecure',
        devices: [{ name: 'a.b/c=d', required: true }],
        flagsUsed: ['mount', 'network', 'security', 'device'],
        commandLine: ['x'],
        prependShell: true,
      },
    ],
    [
      'RUN ["a", "b c"]',
      { commandLine: ['a', 'b c'], prependShell: false, network: 'default', security: 'sandbox' },
    ],
    [
      'COPY --from=x --chown=a:b --chmod=u+x --link --parents --exclude=*.a --exclude=b c d /e',
      {
        from: 'x',
        chown: 'a:b',
        chmod: 'u+x',
        link: true,
        parents: true,
        exclude: ['*.a', 'b'],
        sources: ['c', 'd'],
        destination: '/e',
      },
    ],
    [
      'ADD --checksum=sha256:a --keep-git-dir=false --unpack https://a/b /c',
      { checksum: 'sha256:a', keepGitDir: false, unpack: true, link: false, exclude: [] },
    ],
    [
      'COPY <<-A b /c\n\tx\n\t\ty\nA',
      { sources: ['b'], contents: [{ path: 'A', data: 'x\ny\n', expand: true }], destination: '/c' },
    ],
    [
      'HEALTHCHECK --interval=1m --timeout=1.5s --start-period=0 --start-interval=2s --retries=3 CMD a b',
      {
        healthcheck: {
          test: ['CMD-SHELL', 'a b'],
          intervalNs: 60_000_000_000n,
          timeoutNs: 1_500_000_000n,
          startPeriodNs: 0n,
          startIntervalNs: 2_000_000_000n,
          retries: 3,
        },
      },
    ],
    ['HEALTHCHECK none', { healthcheck: expect.objectContaining({ test: ['NONE'] }) }],
    ['HEALTHCHECK CMD ["a", "b"]', { healthcheck: expect.objectContaining({ test: ['CMD', 'a', 'b'] }) }],
    ['EXPOSE 9 80/udp 10', { ports: ['10', '80/udp', '9'] }],
    ['LABEL a b c', { labels: [{ key: 'a', value: 'b c', legacy: true }] }],
    [
      'ENV a=b c=',
      {
        env: [
          { key: 'a', value: 'b', legacy: false },
          { key: 'c', value: '', legacy: false },
        ],
      },
    ],
    ['VOLUME ["/a", " /b "]', { volumes: ['/a', '/b'] }],
    ['ONBUILD   COPY <<A /b\nx\nA', { expression: 'COPY <<A /b\nx\nA' }],
    ['ENTRYPOINT []', { commandLine: [], prependShell: false }],
  ])('%s', (text, fields) => expect(only(text)).toMatchObject(fields));

  test.each([
    ['RUNN x', 'unknown instruction: RUNN (did you mean RUN?)'],
    ['copi x', 'unknown instruction: copi (did you mean copy?)'],
    ['WORKDIR a\nUSER', 'USER requires exactly one argument'],
    [
      'COPY a',
      'COPY requires at least two arguments, but only one was provided. Destination could not be determined',
    ],
    ['COPY --form=x a b', 'unknown flag: --form (did you mean from?)'],
    ['COPY --link=no a b', 'expecting boolean value for flag --link, not: no'],
    ['COPY --chown=a --chown=b c d', 'duplicate flag specified: --chown'],
    ['COPY a <<B\nB', 'COPY cannot accept a heredoc as a destination'],
    ['RUN --network=x y', 'invalid network mode "x"'],
    ['RUN --security=x y', 'security "x" is not valid'],
    [
      'RUN --mount=from=$x,target=/a y',
      "'from' doesn't support variable expansion, define alias stage instead",
    ],
    ['RUN --device=a,b=c y', "unexpected key 'b' in 'b=c'"],
    ['ENV =a', 'ENV names can not be blank'],
    ['ARG =a', 'ARG names can not be blank'],
    ['SHELL sh', 'SHELL requires the arguments to be in JSON form'],
    ['SHELL []', 'SHELL requires at least one argument'],
    ['VOLUME ["a", ""]', 'VOLUME specified can not be an empty string'],
    ['HEALTHCHECK x', 'Unknown type "X" in HEALTHCHECK (try CMD)'],
    ['HEALTHCHECK CMD', 'Missing command after HEALTHCHECK CMD'],
    ['HEALTHCHECK NONE x', 'HEALTHCHECK NONE takes no arguments'],
    ['HEALTHCHECK --interval=1us CMD x', 'Interval "interval" cannot be less than 1ms'],
    ['HEALTHCHECK --interval=1 CMD x', 'time: missing unit in duration "1"'],
    ['HEALTHCHECK --interval=1x CMD x', 'time: unknown unit "x" in duration "1x"'],
    ['HEALTHCHECK --retries=-1 CMD x', '--retries cannot be negative (-1)'],
    ['ONBUILD ONBUILD RUN x', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ['ONBUILD from x', "FROM isn't allowed as an ONBUILD trigger"],
    ['FROM a b', 'FROM requires either one or three arguments'],
    [
      'FROM a AS 1b',
      'invalid name for build stage: "1b", name can\'t start with a number or contain symbols',
    ],
  ])('refuses %j: %s', (text, message) => {
    const line = text.startsWith('WORKDIR') ? 3 : 2;
    expect(refusal(`FROM scratch\n${text}\n`)).toStartWith(
      `dockerfile parse error on line ${line}: ${message}@${line}-`,
    );
  });

  test('refuses what has no stage', () => {
    expect(refusal('RUN x')).toBe('no build stage in current context@1-1');
    expect(refusal('ARG x')).toBe('dockerfile contains no stages to build@undefined-undefined');
  });

  test('reads five thousand stages', () => {
    const text = Array.from(
      { length: 5_000 },
      (_each, at) => `FROM scratch AS s${at}\nCOPY --from=s${at - 1} a b\n`,
    );
    expect(readInstructions(parseDockerfile(text.join(''))).stages).toHaveLength(5_000);
  });
});

test('bytes that are no UTF-8: RUN refuses them, COPY keeps them, a config gets the replacement', () => {
  const read = (line: string) =>
    readInstructions(parseDockerfile(Buffer.from(`FROM scratch\n${line}\n`, 'latin1')));
  const first = (line: string) => read(line).stages[0]?.instructions[0];
  expect(() => read('RUN echo \xff')).toThrow('dockerfile parse error on line 2: RUN contains invalid UTF-8');
  expect(() => read('RUN <<A\n\xff\nA')).toThrow('RUN contains invalid UTF-8');
  expect(first('CMD echo \xff')).toMatchObject({ commandLine: ['echo \ufffd'], code: 'CMD echo \ufffd' });
  expect(first('COPY <<A /x\n\xff\nA')).toMatchObject({ contents: [{ data: '\udcff\n' }] });
});

test('readInstruction() understands one trigger, at the place it is told', () => {
  const range = { startLine: 7, endLine: 7 };
  expect(readInstruction('RUN x', range)).toMatchObject({ kind: 'run', range });
  expect(() => readInstruction('FROM x', range)).toThrow(expect.objectContaining({ range }));
  expect(() => readInstruction('RUN x\nRUN y')).toThrow('onbuild trigger should be a single expression');
});

test('suggest() goes two edits far, and never from an option itself', () => {
  expect(suggest('form', ['chown', 'from'])).toBe('from');
  expect(suggest('from', ['form', 'from'])).toBeUndefined();
  expect(suggest('abc', ['xyz'])).toBeUndefined();
  expect(suggest('RNU', ['RUN'], false)).toBe('RUN');
  expect(suggest('x'.repeat(100_000), ['x'])).toBeUndefined();
});
