import { describe, expect, test } from 'bun:test';
import { PatternMatcher } from '../../archive/pattern-matcher.ts';
import { type CheckOptions, checkDockerfile } from './check-dockerfile.ts';
import { CHECK_RULES } from './check-rules.ts';

const OPTIONS: CheckOptions = {
  buildPlatform: { os: 'linux', architecture: 'amd64' },
  targetPlatform: { os: 'linux', architecture: 'amd64' },
  buildArgs: new Map(),
  target: '',
  baseImages: new Map(),
};

/** `Rule@line: detail`, and last the error if there is one. What is expected here is what `docker build --check` says. */
function found(text: string, options: Partial<CheckOptions> = {}): string[] {
  const { warnings, error } = checkDockerfile(text, { ...OPTIONS, ...options });
  const lines = warnings.map(({ rule, range, detail }) => `${rule}@${range.startLine}: ${detail}`);
  return error === undefined ? lines : [...lines, `error: ${error.message}`];
}

describe('spelling', () => {
  test('names and keywords', () => {
    expect(
      found(
        'from scratch as Foo\nRUN true\nCMD ["x"]\nFROM scratch as x\nFROM scratch AS X\nFROM scratch AS context',
      ),
    ).toEqual([
      "StageNameCasing@1: Stage name 'Foo' should be lowercase",
      "FromAsCasing@4: 'as' and 'FROM' keywords' casing do not match",
      "StageNameCasing@5: Stage name 'X' should be lowercase",
      'DuplicateStageName@5: Duplicate stage name "x", stage names should be unique',
      'ReservedStageName@6: Stage name should not use the same name as reserved stage "context"',
      "ConsistentInstructionCasing@1: Command 'from' should match the case of the command majority (uppercase)",
    ]);
  });

  test('continuations, MAINTAINER, the old form of names and values', () => {
    expect(found('FROM scratch\nRUN echo hi \\\n\n  && true\nMAINTAINER z\nLABEL a b\nENV c d\n')).toEqual([
      'NoEmptyContinuation@4: Empty continuation line',
      'MaintainerDeprecated@5: Maintainer instruction is deprecated in favor of using label',
      'LegacyKeyValueFormat@6: "LABEL key=value" should be used instead of legacy "LABEL key value" format',
      'LegacyKeyValueFormat@7: "ENV key=value" should be used instead of legacy "ENV key value" format',
    ]);
  });

  test('descriptions, when asked for', () => {
    const text =
      '# bad comment\nARG foo=1\n# foo good\nARG foo=2\n# other\nFROM scratch AS x\n# zzz\nARG a b\n';
    expect(found(text)).toEqual([]);
    expect(found(`# check=experimental=all\n${text}`)).toEqual([
      'InvalidDefinitionDescription@3: Comment for ARG should follow the format: `# foo <description>`',
      'InvalidDefinitionDescription@7: Comment for FROM should follow the format: `# x <description>`',
      'InvalidDefinitionDescription@9: Comment for ARG should follow the format: `# <arg_key> <description>`',
    ]);
  });
});

describe('FROM', () => {
  test('arguments that nobody declared, defaults that make no name', () => {
    expect(found('ARG BASE\nFROM $BASE')).toEqual([
      'InvalidDefaultArgInFrom@2: Default value for ARG $BASE results in empty or invalid base image name',
      'error: base name ($BASE) should not be blank',
    ]);
    expect(found('ARG BASE\nFROM $BASE', { buildArgs: new Map([['BASE', 'scratch']]) })).toHaveLength(1);
    expect(found('ARG BASE=scratch\nFROM $BASE\nFROM x$BSAE')).toEqual([
      "UndefinedArgInFrom@3: FROM argument 'BSAE' is not declared (did you mean BASE?)",
    ]);
    expect(found('FROM --platform=$BUILDPLATFROM scratch')).toEqual([
      "UndefinedArgInFrom@1: FROM argument 'BUILDPLATFROM' is not declared (did you mean BUILDPLATFORM?)",
      'error: empty platform value from expression $BUILDPLATFROM (did you mean BUILDPLATFORM?)',
    ]);
  });

  test('platforms', () => {
    expect(found('FROM --platform=${TARGETPLATFORM} scratch')).toEqual([
      'RedundantTargetPlatform@1: Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior',
    ]);
    expect(
      found('FROM --platform=linux/amd64 scratch\nFROM --platform=linux/arm64 scratch AS arm64'),
    ).toEqual([
      'FromPlatformFlagConstDisallowed@1: FROM --platform flag should not use constant value "linux/amd64"',
    ]);
  });
});

describe('stages', () => {
  test('variables', () => {
    const text =
      'FROM scratch\nENV P=$PTAH:$OTHER\nARG KNOWN\nENV HOME=/x Q=$KNOWN\nRUN --mount=type=cache,target=$HOMEE true\n';
    expect(found(text)).toEqual([
      "UndefinedVar@2: Usage of undefined variable '$PTAH' (did you mean $PATH?)",
      "UndefinedVar@2: Usage of undefined variable '$OTHER'",
      "UndefinedVar@5: Usage of undefined variable '$HOMEE' (did you mean $HOME?)",
    ]);
    const ofImage = 'FROM img AS a\nENV A=$B\nFROM a\nENV C=$A$UNKNOWN';
    expect(found(ofImage)).toEqual([]);
    expect(found(ofImage, { baseImages: new Map([['img', { env: ['B=b'], hasShell: false }]]) })).toEqual([
      "UndefinedVar@4: Usage of undefined variable '$UNKNOWN'",
    ]);
    expect(found('FROM scratch\nENV A=${B?no}')).toEqual([
      "UndefinedVar@2: Usage of undefined variable '$B'",
      'error: failed to process "${B?no}": B: no',
    ]);
  });

  test('commands, folders', () => {
    expect(
      found('FROM scratch\nWORKDIR rel\nWORKDIR rel2\nCMD a\nCMD ["b"]\nHEALTHCHECK NONE\nHEALTHCHECK CMD x'),
    ).toEqual([
      'WorkdirRelativePath@2: Relative workdir "rel" can have unexpected results if the base image changes',
      'JSONArgsRecommended@4: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
      'MultipleInstructionsDisallowed@4: Multiple CMD instructions should not be used in the same stage because only the last one will be used',
      'MultipleInstructionsDisallowed@6: Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used',
    ]);
    expect(found('FROM scratch AS a\nSHELL ["x"]\nWORKDIR /a\nFROM a\nCMD y\nWORKDIR b')).toEqual([]);
  });

  test('secrets by their names', () => {
    expect(found('FROM scratch\nARG MY_SECRET\nARG PUBLIC_KEY MONKEY KEY_FILE\nENV TOKEN=x')).toEqual([
      'SecretsUsedInArgOrEnv@2: Do not use ARG or ENV instructions for sensitive data (ARG "MY_SECRET")',
      'SecretsUsedInArgOrEnv@4: Do not use ARG or ENV instructions for sensitive data (ENV "TOKEN")',
    ]);
  });

  test('ports', () => {
    expect(found('FROM scratch\nEXPOSE 80/TCP 80:90 9-8')).toEqual([
      "ExposeProtoCasing@2: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
      "ExposeInvalidFormat@2: EXPOSE instruction should not define an IP address or host-port mapping, found '80:90'",
      'error: invalid containerPort: 9-8',
    ]);
  });

  test('sources that the .dockerignore leaves out', () => {
    const text = 'FROM scratch AS a\nCOPY . docs/x /\nADD docs https://a/docs /\nCOPY --from=a docs /\n';
    const ignored = new PatternMatcher(['docs']);
    expect(found(text, { ignored })).toEqual([
      'CopyIgnoredFile@2: Attempting to Copy file "docs/x" that is excluded by .dockerignore',
      'CopyIgnoredFile@3: Attempting to Add file "docs" that is excluded by .dockerignore',
    ]);
    expect(found(text, { ignored: new PatternMatcher(['docs', '!docs/y']) })).toEqual([]);
    expect(found('FROM scratch\nCOPY . /', { ignored: new PatternMatcher(['*']) })).toHaveLength(1);
  });

  test('only those that are built, where the caller says so', () => {
    const text = 'FROM scratch AS a\nCMD x\nFROM scratch AS b\nCMD y';
    expect(found(text, { stages: new Set([1]) })).toHaveLength(1);
  });
});

describe('settings', () => {
  const text = 'FROM scratch AS X\nCMD x\nMAINTAINER y\n';

  test('rules are skipped, by the file, above an instruction, by the caller', () => {
    expect(found(`# check=skip=all\n${text}`)).toEqual([]);
    expect(found(`# check=skip=StageNameCasing,MaintainerDeprecated\n${text}`)).toHaveLength(1);
    expect(
      found('FROM scratch\n# check=skip=JSONArgsRecommended\nCMD x\n# check=skip=Other\nENV a b'),
    ).toEqual([
      'LegacyKeyValueFormat@5: "ENV key=value" should be used instead of legacy "ENV key value" format',
    ]);
    expect(found(text, { settings: 'skip=all' })).toEqual([]);
  });

  test('error=true makes warnings an error', () => {
    expect(found(`# check=skip=JSONArgsRecommended;error=true\n${text}`).at(-1)).toBe(
      'error: lint violation found for rules: StageNameCasing, MaintainerDeprecated',
    );
    expect(found('# check=error=true\nFROM scratch')).toEqual([]);
  });

  test.each([
    ['foo', 'invalid check option "foo"'],
    ['foo=bar', 'invalid check option "foo"'],
    [
      'error=maybe',
      'failed to parse check option "error=maybe": strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
  ])('refuses %s', (value, reason) => {
    expect(found(`# check=${value}\nFROM scratch`)).toEqual([
      `error: failed to parse check options: ${reason}`,
    ]);
  });
});

test('a file that breaks off is looked at up to there', () => {
  expect(found('FROM scratch AS X\nMAINTAINER y\nRUNN x')).toEqual([
    "StageNameCasing@1: Stage name 'X' should be lowercase",
    'MaintainerDeprecated@2: Maintainer instruction is deprecated in favor of using label',
    'error: dockerfile parse error on line 3: unknown instruction: RUNN (did you mean RUN?)',
  ]);
  expect(found('')).toEqual(['error: the Dockerfile cannot be empty']);
});

test('every rule that Docker documents is here', () => {
  expect(Object.keys(CHECK_RULES)).toHaveLength(21);
});
