import { describe, expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePath } from '../../archive/path-bytes.ts';
import { findDirective } from './directives.ts';
import { DockerfileError } from './dockerfile-error.ts';
import { MAX_DOCKERFILE_BYTES, MAX_LINE_BYTES } from './line-reader.ts';
import { MAX_INSTRUCTIONS, parseDockerfile } from './parse-dockerfile.ts';
import type { ParsedDockerfile } from './parsed-dockerfile.ts';
import { dumpNodes } from './testing/dump.ts';
import { contentOf, type NodeContent, printDockerfile } from './testing/print-dockerfile.ts';
import { MAX_WORDS } from './words.ts';

function refusal(source: Uint8Array | string): { message: string; lines: [number, number] | undefined } {
  try {
    parseDockerfile(source);
  } catch (error) {
    if (!(error instanceof DockerfileError)) throw error;
    const { message, range } = error;
    return { message, lines: range && [range.startLine, range.endLine] };
  }
  return { message: 'accepted', lines: undefined };
}

const only = (text: string) => parseDockerfile(text).nodes[0];

describe('parseDockerfile()', () => {
  test('takes so many instructions, and refuses the next one at its line', () => {
    const most = `FROM a\n${'RUN b\n'.repeat(MAX_INSTRUCTIONS - 1)}`;
    expect(parseDockerfile(most).nodes.length).toBe(MAX_INSTRUCTIONS);
    expect(refusal(`${most}RUN b\n`)).toEqual({
      message: `Cannot build a Dockerfile of more than ${MAX_INSTRUCTIONS} instructions`,
      lines: [MAX_INSTRUCTIONS + 1, MAX_INSTRUCTIONS + 1],
    });
  });

  test('takes so many words, and refuses the next one where it stands', () => {
    const words = (count: number): string =>
      'a '
        .repeat(100)
        .repeat(count / 100)
        .trim();
    const message = `Cannot build a Dockerfile of more than ${MAX_WORDS} words`;
    const broken = (keyword: string, word: string, count: number): string =>
      `${keyword} ${Array.from({ length: count / 1000 }, () => `${`${word} `.repeat(1000)}\\\n`).join('')} x`;
    expect(parseDockerfile(`FROM a\nCOPY ${words(20_000)}`).nodes[1]?.args.length).toBe(20_000);
    const half = broken('COPY', 'a', 60_000);
    expect(refusal(`FROM a\n${half}\n${half}\n`)).toEqual({ message, lines: [63, 123] });
    for (const [keyword, word] of [
      ['COPY', 'a'],
      ['ARG', 'a'],
      ['LABEL', 'a=b'],
      ['RUN', '--mount=a'],
      ['EXPOSE', '1'],
    ] as const)
      expect(refusal(`FROM a\n${broken(keyword, word, 101_000)}`)).toMatchObject({ message });
    const json = `RUN [${`"a",${'\\\n'}`.repeat(100_001)}"b"]`;
    expect(refusal(`FROM a\n${json}\n`)).toMatchObject({ message });
  });

  test('joins continued lines, drops comments in them, warns of blank ones', () => {
    const { nodes, warnings } = parseDockerfile(
      'FROM a\nRUN one \\\n  # no\n\n  two \\ \t\n#x\nthree\nUSER x\n',
    );
    expect(dumpNodes(nodes)).toBe('(from "a")\n(run "one   two three")\n(user "x")');
    expect(nodes.map(({ range }) => [range.startLine, range.endLine])).toEqual([
      [1, 1],
      [2, 7],
      [8, 8],
    ]);
    expect(warnings.map(({ short, range }) => [short, range.startLine])).toEqual([
      ['Empty continuation line found in: RUN one   two three', 7],
    ]);
  });

  test('a doubled escape token continues nothing, a trailing one at the end neither', () => {
    expect(dumpNodes(parseDockerfile('RUN a \\\\\nRUN b \\').nodes)).toBe('(run "a \\\\\\\\")\n(run "b")');
  });

  test('directives are those at the very top', () => {
    const { directives, escapeToken } = parseDockerfile(
      '\ufeff# Syntax = a/b:1 \n#escape=`\n#check=skip=all\nFROM x',
    );
    expect(directives.map(({ name, value, range }) => [name, value, range.startLine])).toEqual([
      ['syntax', 'a/b:1', 1],
      ['escape', '`', 2],
      ['check', 'skip=all', 3],
    ]);
    expect(escapeToken).toBe('`');
    expect(parseDockerfile('\n# escape=`\nFROM x').escapeToken).toBe('\\');
    expect(parseDockerfile('# word\n# escape=`\nFROM x').escapeToken).toBe('\\');
    expect(refusal('# escape=x\nFROM a').message).toBe("invalid escape token 'x' does not match ` or \\");
    expect(refusal('# escape=`\n# escape=`\n')).toEqual({
      message: 'only one escape parser directive can be used',
      lines: [2, 2],
    });
  });

  test('comments above belong to the instruction; an empty one forgets them', () => {
    const { nodes } = parseDockerfile('# a\n#\n# b\n\n#c\nARG x\n# d\nFROM y');
    expect(nodes.map(({ comments }) => comments)).toEqual([['b', 'c'], ['d']]);
  });

  test('heredocs: quotes, dashes, several, ONBUILD, never in JSON', () => {
    const text = 'RUN <<A cat <<-"B"\n\tx\nA\n\ty\n\tB\n';
    expect(only(text)?.heredocs).toEqual([
      { name: 'A', fileDescriptor: 0, expand: true, chomp: false, content: '\tx\n' },
      { name: 'B', fileDescriptor: 0, expand: false, chomp: true, content: '\ty\n' },
    ]);
    expect(only('ONBUILD RUN 3<<A\nA\n')?.heredocs.map(({ fileDescriptor }) => fileDescriptor)).toEqual([3]);
    expect(only('RUN ["<<A"]\n')?.heredocs).toEqual([]);
    expect(only('RUN echo "<<A" a<<B $((1<<2)) <<<C\n')?.heredocs).toEqual([]);
    expect(only('RUN <<A\r\nx\r\nA\r\n')?.heredocs[0]?.content).toBe('x\r\n');
  });

  test('JSON forms, and what only looks like one', () => {
    expect(only('CMD ["a", "\\u00e9"]')).toMatchObject({ json: true, args: ['a', 'é'] });
    expect(only("CMD ['a']")).toMatchObject({ json: false, args: ["['a']"] });
    expect(only('HEALTHCHECK --retries=1 CMD ["a"]')).toMatchObject({ json: true, args: ['CMD', 'a'] });
    expect(refusal('CMD ["a", 1]').message).toBe(
      'when using JSON array syntax, arrays must be comprised of strings only',
    );
  });

  test('flags: quotes and escapes are resolved, `--` ends them', () => {
    expect(only('RUN --mount="type=a b" --x\\ y -- --z')).toMatchObject({
      flags: ['--mount=type=a b', '--x y'],
      args: ['--z'],
    });
  });

  test('names and values', () => {
    expect(only('ENV a=b "c d"=e\\ f g=\'h i\'')?.args).toEqual([
      'a',
      'b',
      '=',
      '"c d"',
      'e\\ f',
      '=',
      'g',
      "'h i'",
      '=',
    ]);
    expect(only('ENV a  b  c')?.args).toEqual(['a', 'b  c', '']);
    expect(refusal('ENV a=b c').message).toBe(
      'Syntax error - can\'t find = in "c". Must be of the form: name=value',
    );
    expect(refusal('\nENV a')).toEqual({ message: 'ENV must have two arguments', lines: [2, 2] });
  });
});

describe('bad input', () => {
  test.each([
    ['', 'the Dockerfile cannot be empty', undefined],
    ['\n\n', 'file with no instructions', [2, 2]],
    ['FROM a\nRUN <<A\nx', 'unterminated heredoc', [2, 3]],
    ['FROM a\nCOPY <<A <<B /\nA\n', 'unterminated heredoc', [2, 3]],
  ])('%j: %s', (text, message, lines) => {
    expect(refusal(text)).toEqual({ message, lines: lines as [number, number] | undefined });
  });

  test('a line without end is refused before it is decoded', () => {
    const huge = Buffer.alloc(100 * 1024 * 1024, 'x');
    huge.write('RUN ');
    const message = `dockerfile line greater than max allowed size of ${MAX_LINE_BYTES}`;
    expect(refusal(huge)).toEqual({ message, lines: [1, 1] });
    expect(refusal(`FROM a\nRUN ${'x'.repeat(MAX_LINE_BYTES - 3)}`)).toEqual({ message, lines: [2, 2] });
    expect(refusal(`FROM a\nRUN ${'x'.repeat(MAX_LINE_BYTES - 4)}\n`).message).toBe('accepted');
  });

  test('a file without end is refused', () => {
    const lines = Buffer.alloc(MAX_DOCKERFILE_BYTES + 4, `${'a'.repeat(60_000)}\\\n`);
    expect(refusal(lines).message).toBe(
      `dockerfile greater than max allowed size of ${MAX_DOCKERFILE_BYTES}`,
    );
  });

  test('bytes that are no UTF-8 are kept', () => {
    const { nodes } = parseDockerfile(Buffer.from('# \xe9\nCOPY <<A /\n\xff\nA\n', 'latin1'));
    expect([...encodePath(nodes[0]?.heredocs[0]?.content ?? '')]).toEqual([0xff, 0x0a]);
    expect([...encodePath(nodes[0]?.comments[0] ?? '')]).toEqual([0xe9]);
  });

  test('nothing is quadratic or deep', () => {
    const repeat = (text: string) => text.repeat(Math.floor(2 ** 17 / text.length));
    const outcomes = [
      `RUN ${repeat(' \\\n')}x`,
      `ENV ${repeat('a=b \\\n')}c=d`,
      `RUN ${repeat('--m="a\\"" \\\n')}x`,
      `RUN ${repeat('<< \\\n')}<`,
      repeat('ONBUILD \\\n'),
      `RUN ${repeat('${a:-\\\n')} <<A`,
      `CMD ${repeat('[\\\n')}`,
      repeat(`${'\t \u00a0'.repeat(2000)}\n`),
      `RUN ${repeat("''\\\n")} <<A`,
    ].map((text) => refusal(text).message);
    const [empty, open] = ['file with no instructions', 'unterminated heredoc'];
    const ok = 'accepted';
    expect(outcomes).toEqual([ok, ok, ok, ok, ok, ok, ok, empty, open]);
  });
});

describe('findDirective()', () => {
  test.each([
    ['# syntax=a b\nFROM x', 'a b', 1],
    ['#!/usr/bin/env x\n# syntax=a\n', 'a', 2],
    ['// syntax=a\n{}', 'a', 1],
    ['{"syntax": "a"}', 'a', 1],
    ['\ufeff# syntax=a', 'a', 1],
  ])('%j', (text, value, line) => {
    expect(findDirective('syntax', text)).toMatchObject({ value, range: { startLine: line } });
  });

  test('finds nothing in what has none', () => {
    for (const text of ['', 'FROM x\n# syntax=a', '{"syntax": 1}', '// check=x', '[', '{']) {
      expect(findDirective('syntax', text), text).toBeUndefined();
    }
  });
});

/** A small generator of numbers, so that a failure can be had again. */
function randomFrom(seed: number) {
  let state = seed;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const some = <T>(limit: number, make: () => T): T[] => Array.from({ length: below(limit + 1) }, make);
  return { below, pick, some };
}

type Random = ReturnType<typeof randomFrom>;

const WORDS = ['a', 'é', '"q w"', "'s \\'", '$X', '${Y:-z}', '/x/*', '10', 'a,b', '👽', '\udcff'];
const ATOMS = ['a', '-b', 'c=d', 'x#e', '[f]', '$g', 'é', '"h"', '/i:j', '{k}', 'as', '\udce9'];

function randomNode(random: Random, isChild = false): NodeContent {
  const { pick, some, below } = random;
  const keywords = [
    'FROM',
    'run',
    'CMD',
    'Copy',
    'ENV',
    'LABEL',
    'ARG',
    'EXPOSE',
    'USER',
    'HEALTHCHECK',
    'ONBUILD',
    'VOLUME',
  ];
  const keyword = pick(isChild ? keywords.filter((each) => each !== 'ONBUILD') : keywords);
  const child = keyword === 'ONBUILD' && !isChild ? { ...randomNode(random, true), comments: [] } : undefined;
  const allowsJson = ['run', 'CMD', 'Copy', 'HEALTHCHECK', 'VOLUME'].includes(keyword);
  const json = allowsJson && below(3) === 0;
  const node = {
    keyword,
    flags: some(
      2,
      () =>
        `--${pick(['mount', 'from', 'x'])}=${some(2, () => pick(['a b', '"', '\\', '`', 'c', "'"])).join('')}`,
    ),
    args: child === undefined ? randomArgs(keyword, json, random) : [],
    json,
    heredocs: [],
    comments: some(2, () => pick(['note', 'syntax=x', 'a  b', '#'])),
    child,
  };
  const mayHaveHeredoc = !isChild && !json && (keyword === 'run' || keyword === 'Copy') && below(3) === 0;
  return mayHaveHeredoc ? withHeredoc(node, random) : node;
}

function withHeredoc(node: NodeContent, { pick, some, below }: Random): NodeContent {
  const chomp = below(2) === 0;
  const expand = below(2) === 0;
  const word = `<<${chomp ? '-' : ''}${expand ? 'END' : '"END"'}`;
  const content = some(3, () => pick(['\tx\n', 'RUN y \\\n', '\n', '# z\r\n', 'EN\n'])).join('');
  const args = node.keyword === 'run' ? [word] : [word, '/dest'];
  // The lexer that looks for heredocs knows no escape token but `\\`: flags with quotes would hide them.
  return { ...node, flags: [], args, heredocs: [{ name: 'END', fileDescriptor: 0, expand, chomp, content }] };
}

function randomArgs(keyword: string, json: boolean, { pick, some, below }: Random): string[] {
  const words = [pick(ATOMS), ...some(3, () => pick(ATOMS))];
  if (json)
    return [
      ...(keyword === 'HEALTHCHECK' ? ['CMD'] : []),
      ...some(3, () => pick(['a', 'b c', '"', '\\', 'é', ''])),
    ];
  switch (keyword) {
    case 'ENV':
    case 'LABEL':
      if (below(4) === 0) return ['name', words.join(' '), ''];
      return [pick(WORDS), ...some(2, () => pick(WORDS))].flatMap((word) => ['key', word, '=']);
    case 'ARG':
      return [pick(WORDS), ...some(2, () => `k=${pick(WORDS)}`)];
    case 'run':
    case 'CMD':
    case 'USER':
      return [words.join(' ')];
    case 'HEALTHCHECK':
      return ['CMD', words.join(' ')];
    default:
      return words;
  }
}

describe('print and parse', () => {
  const parsedAgain = (
    file: { escapeToken: ParsedDockerfile['escapeToken']; nodes: NodeContent[] },
    gap: () => string,
  ) => parseDockerfile(printDockerfile(file, { gap }));

  test('give what was printed, however it is laid out', () => {
    for (let seed = 1; seed <= 500; seed++) {
      const random = randomFrom(seed);
      const escapeToken = random.pick(['\\', '`'] as const);
      const nodes = [randomNode(random), ...random.some(4, () => randomNode(random))];
      const laidOut = { escapeToken, nodes };
      expect({ seed, nodes: parsedAgain(laidOut, () => ' ').nodes.map(contentOf) }).toEqual({ seed, nodes });
      const ending = `${escapeToken}\n`;
      const gap = (): string =>
        random.pick([' ', ` ${ending}`, `\t${ending}\n# no\n  `, ` ${ending} \t#\n\n`]);
      expect({ seed, nodes: parsedAgain(laidOut, gap).nodes.map(contentOf) }).toEqual({ seed, nodes });
    }
  });

  const vectors = join(import.meta.dir, '../../../../shared/vectors/dockerfiles.jsonl');
  // Where the table is; the ones above are our own.
  const own = ['FROM a\nRUN <<E\nx\nE\n', '# escape=`\nFROM a`\n b\n'].map((text) =>
    JSON.stringify({ text }),
  );
  test('give public Dockerfiles back', () => {
    const lines = existsSync(vectors) ? readFileSync(vectors, 'utf8').trimEnd().split('\n') : own;
    for (const line of lines) {
      const { text } = JSON.parse(line) as { text: string };
      if (refusal(text).message !== 'accepted') continue;
      const { escapeToken, nodes } = parseDockerfile(text);
      const contents = nodes.map(contentOf);
      const again = parseDockerfile(printDockerfile({ escapeToken, nodes: contents }));
      expect(again.nodes.map(contentOf)).toEqual(contents);
    }
  });
});
