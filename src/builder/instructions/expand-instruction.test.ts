import { describe, expect, test } from 'bun:test';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import { parseDockerfile } from '../parser/parse-dockerfile.ts';
import { expandFrom } from './expand-from.ts';
import { expandInstruction, readMounts, wordExpander } from './expand-instruction.ts';
import { readExposedPorts } from './exposed-ports.ts';
import { readInstruction, readInstructions } from './read-instructions.ts';

const VARIABLES = new Map([
  ['A', 'a b'],
  ['D', '/dir'],
  ['P', '80 81-83/UDP'],
]);
const expander = wordExpander(VARIABLES, { escapeToken: '\\' });
const expanded = (text: string) => expandInstruction(readInstruction(text), expander);

function refusal(run: () => unknown): string {
  try {
    run();
    return 'accepted';
  } catch (error) {
    if (error instanceof DockerfileError) return error.message;
    throw error;
  }
}

describe('expandInstruction()', () => {
  test('puts variables in where they belong, and nowhere else', () => {
    expect(expanded('ENV x="$A" y=$D')).toMatchObject({ env: [{ value: 'a b' }, { value: '/dir' }] });
    expect(expanded('COPY --chown=$A --exclude=$A $D/x $D/')).toMatchObject({
      chown: 'a b',
      exclude: ['$A'],
      sources: ['/dir/x'],
      destination: '/dir/',
    });
    expect(expanded('RUN echo $A')).toMatchObject({ commandLine: ['echo $A'] });
    expect(expanded('WORKDIR $D/x')).toMatchObject({ path: '/dir/x' });
  });

  test('heredocs of COPY keep their quotes; quoted ones are left alone', () => {
    expect(expanded('COPY <<X <<"Y" /z\n"$A" \'$D\' \\$D\nX\n$A\nY\n')).toMatchObject({
      contents: [{ data: '"a b" \'/dir\' $D\n' }, { data: '$A\n' }],
    });
  });

  test('a word that is none fails with its lines', () => {
    const run = () => expandInstruction(readInstruction('USER ${x', { startLine: 4, endLine: 4 }), expander);
    expect(run).toThrow(expect.objectContaining({ range: { startLine: 4, endLine: 4 } }));
  });

  test('hears of variables that nobody set, also in a word that fails', () => {
    const heard: string[][] = [];
    const listening = wordExpander(VARIABLES, {
      escapeToken: '\\',
      onUnmatched: (names) => heard.push([...names]),
    });
    refusal(() => expandInstruction(readInstruction('ENV a=$X$A b=${Y?no}'), listening));
    expect(heard.flat()).toEqual(['X', 'Y']);
  });
});

describe('readMounts()', () => {
  const mounts = (flags: string) => {
    const run = readInstruction(`RUN ${flags} true`);
    return run.kind === 'run' ? readMounts(run, expander) : [];
  };

  test.each<[string, Record<string, unknown>]>([
    ['target=/x', { type: 'bind', target: '/x', readOnly: true, from: '', env: undefined }],
    ['type=bind,from=y,src=/s,dst=$D,rw', { from: 'y', source: '/s', target: '/dir', readOnly: false }],
    [
      'type=cache,id=i,target=/c,sharing=LOCKED,uid=1,gid=2,mode=0750',
      { id: 'i', sharing: 'locked', uid: 1, gid: 2, mode: 0o750, readOnly: false },
    ],
    ['type=cache,target=/c,ro', { readOnly: true }],
    ['type=tmpfs,target=/t,size=64m', { sizeBytes: 67_108_864n, readOnly: false }],
    ['type=secret,id=s,env=E,required', { id: 's', env: 'E', required: true, readOnly: true }],
    ['type=ssh,required=false', { type: 'ssh', required: false }],
    ['"type=bind,target=/a,source=b""c"', { target: '/a' }],
  ])('%s', (mount, fields) => expect(mounts(`--mount=${mount}`)).toMatchObject([fields]));

  test.each([
    ['type=x', 'unsupported mount type "x"'],
    ['type=bnid', 'unsupported mount type "bnid" (did you mean bind?)'],
    ['type=cache,sharing=lokced', 'unsupported sharing value "lokced" (did you mean locked?)'],
    ['tpye=bind', "unexpected key 'tpye' in 'tpye=bind' (did you mean type?)"],
    ['type=bind,x', "invalid field 'x' must be a key=value pair"],
    ['required', "unexpected key 'required' for mount type 'bind'"],
    ['size=1m,type=tmpfs', "unexpected key 'size' for mount type 'bind'"],
    ['type=tmpfs,size=1x', 'invalid value for size: 1x'],
    ['ro=x', 'invalid value for ro: x'],
    ['type=cache,mode=0999', 'invalid value 0999 for mode'],
    ['type=cache,uid=4294967296', 'invalid value 4294967296 for uid'],
    ['type=bind,uid=3', 'uid not allowed for "bind" type mounts'],
    ['type=secret', 'invalid secret mount. one of source, target required'],
    ['type=secret,id=a,src=b', "both source and id can't be set"],
    ['type=secret,from=a', 'secret mount should not have a from'],
    ['type=bind,sharing=shared', 'invalid cache sharing set for bind mount'],
    [
      "'\"'",
      'failed to parse csv mounts: parse error on line 1, column 2: extraneous or missing " in quoted-field',
    ],
    ['', 'failed to parse csv mounts: EOF'],
  ])('refuses %s: %s', (mount, reason) => expect(refusal(() => mounts(`--mount=${mount}`))).toBe(reason));
});

describe('readExposedPorts()', () => {
  const words = (text: string) => {
    const expose = readInstruction(`EXPOSE ${text}`);
    return expose.kind === 'expose' ? [...readExposedPorts(expose, VARIABLES, '\\')] : [];
  };

  test('ranges, protocols, variables of several words, host parts', () => {
    expect(words('$P 7').flatMap(({ ports }) => ports)).toEqual([
      '80/tcp',
      '81/udp',
      '82/udp',
      '83/udp',
      '7/tcp',
    ]);
    expect(
      words('[::1]:80:8080 1.2.3.4:1-2:3-4/sctp 5').map(({ ports, hasHostPart }) => [ports, hasHostPart]),
    ).toEqual([
      [['3/sctp', '4/sctp'], true],
      [['5/tcp'], false],
      [['8080/tcp'], true],
    ]);
  });

  test.each([
    ['x', 'invalid containerPort: x'],
    ['9-8', 'invalid containerPort: 9-8'],
    ['65536', 'invalid containerPort: 65536'],
    ['80/x', 'invalid port: "80/x": invalid proto: x'],
    ['/tcp', 'invalid port: "/tcp": no port specified'],
    ['x:80', 'invalid hostPort: x'],
    ['a.b:1:2', 'invalid IP address: a.b'],
    ['1-2:3-5', 'invalid ranges specified for container and host Ports: 3-5 and 1-2'],
    [`${'1-65535 '.repeat(4)}`, 'EXPOSE names more than 196608 ports'],
  ])('refuses %s: %s', (text, reason) => expect(refusal(() => words(text))).toBe(reason));
});

test('expandFrom() in the words of BuildKit', () => {
  const from = (line: string) => {
    const { stages } = readInstructions(parseDockerfile(line));
    const [stage] = stages;
    if (stage === undefined) throw new Error('no stage');
    const variables = new Map([
      ['TARGETPLATFORM', 'linux/arm64'],
      ['V', '1'],
    ]);
    return expandFrom(stage, { variables, escapeToken: '\\' });
  };
  expect(from('FROM --platform=$TARGETPLATFORM a:$V')).toMatchObject({
    base: { result: 'a:1' },
    platform: { os: 'linux', architecture: 'arm64' },
  });
  expect(refusal(() => from('FROM $X'))).toBe('base name ($X) should not be blank');
  expect(refusal(() => from('FROM --platform=$TAGRETPLATFORM a'))).toBe(
    'empty platform value from expression $TAGRETPLATFORM (did you mean TARGETPLATFORM?)',
  );
  expect(refusal(() => from('FROM --platform=foo a'))).toBe(
    'failed to parse platform foo: "foo": unknown operating system or architecture: invalid argument',
  );
});
