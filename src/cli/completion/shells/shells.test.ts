import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { zshScript } from './zsh.ts';

// The shells themselves, with a program that answers as ours does and notes what it was asked.
const PROGRAM = `#!/bin/sh
printf '%s|' "$@" >> "$ASKED"
echo >> "$ASKED"
for typed do :; done
case $typed in
  st*) printf 'start\\tStart one\\nstop\\tStop one\\n:4\\n' ;;
  --pull=*) printf 'always\\nmissing\\n:4\\n' ;;
  container:*) printf 'container:web\\ncontainer:db\\n:4\\n' ;;
  key*) printf 'key=\\n:2\\n' ;;
  gone*) printf ':1\\n' ;;
  fo*) printf ':16\\n' ;;
  f*) printf ':0\\n' ;;
  n*) printf ':4\\n' ;;
  *) printf 'only\\tThe only one\\n:4\\n' ;;
esac
`;
let directory = '';
let asked = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sampan-shells-'));
  asked = join(directory, 'asked');
  mkdirSync(join(directory, 'bin'));
  mkdirSync(join(directory, 'here/folder'), { recursive: true });
  writeFileSync(join(directory, 'here/file'), '');
  writeFileSync(join(directory, 'bin/sampan'), PROGRAM);
  chmodSync(join(directory, 'bin/sampan'), 0o755);
  writeFileSync(join(directory, 'sampan.bash'), bashScript('sampan', '__complete'));
  writeFileSync(join(directory, 'sampan.fish'), fishScript('sampan', '__complete'));
  writeFileSync(join(directory, '_sampan'), zshScript('sampan', '__complete'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function shell(command: string[]): string[] {
  writeFileSync(asked, '');
  const env = {
    ...process.env,
    ASKED: asked,
    HOME: directory,
    PATH: `${directory}/bin:${process.env['PATH']}`,
    TERM: 'dumb',
  };
  const { stdout, stderr } = Bun.spawnSync(command, { env, cwd: join(directory, 'here') });
  expect(stderr.toString()).toBe('');
  return stdout.toString().split('\n').filter(Boolean);
}

/** As readline takes the line apart, COMP_WORDBREAKS being bash's own. */
function bash(line: string, type = 9): string[] {
  const words = line.match(/[=:]+|[^\s=:]+|(?<=\s)$|(?<=[=:])$/g) ?? [];
  const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  return shell([
    'bash',
    '--norc',
    '-c',
    `source ${directory}/sampan.bash; COMP_LINE='${line}' COMP_POINT=${line.length} COMP_TYPE=${type} COLUMNS=60
COMP_WORDS=(${quoted}) COMP_CWORD=${words.length - 1}; __sampan_complete; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ]);
}

const byName = (one = '', other = '') => (one < other ? -1 : 1);
const questions = async () => (await Bun.file(asked).text()).trimEnd().split('\n');

describe('bash', () => {
  test('what fits is put on the line, and shown with descriptions', async () => {
    expect(bash('sampan st')).toEqual(['start', 'stop']);
    expect(await questions()).toEqual(['__complete|st|']);
    expect(bash('sampan sto')).toEqual(['stop']);
    expect(bash('sampan st', 63)).toEqual(['start  (Start one)', 'stop   (Stop one)']);
    expect(bash('sampan x', 63)).toEqual([]);
  });

  test('an empty word is a word, blanks or not', async () => {
    expect(bash('sampan   run  ')).toEqual(['only']);
    expect(await questions()).toEqual(['__complete|run||']);
  });

  test('= and : belong to their word, and only what stands behind them is replaced', async () => {
    expect(bash('sampan run --pull=')).toEqual(['always', 'missing']);
    expect(await questions()).toEqual(['__complete|run|--pull=|']);
    expect(bash('sampan run --pull=al')).toEqual(['always']);
    expect(bash('sampan run --ipc container:w')).toEqual(['web']);
    expect(await questions()).toEqual(['__complete|run|--ipc|container:w|']);
    bash('sampan run -e A=b app:1 ');
    expect(await questions()).toEqual(['__complete|run|-e|A=b|app:1||']);
  });

  test('files, folders or neither, as the answer says', () => {
    expect(bash('sampan f').toSorted(byName)).toEqual(['file', 'folder']);
    expect(bash('sampan fo')).toEqual(['folder']);
    expect(bash('sampan n')).toEqual([]);
    expect(bash('sampan gone')).toEqual([]);
  });

  test('nothing of the line is run', async () => {
    bash('sampan $(touch${IFS}ran) ');
    expect(await questions()).toEqual(['__complete|$(touch${IFS}ran)||']);
    expect(await Bun.file(join(directory, 'here/ran')).exists()).toBe(false);
  });
});

describe('fish', () => {
  const fish = (line: string) =>
    shell(['fish', '--no-config', '-c', `source ${directory}/sampan.fish; complete -C '${line}'`]);

  test('what fits, with descriptions; = and : belong to their word', async () => {
    expect(fish('sampan st')).toEqual(['start\tStart one', 'stop\tStop one']);
    expect(fish('sampan run ')).toEqual(['only\tThe only one']);
    expect(await questions()).toEqual(['__complete|run||']);
    expect(fish('sampan run --pull=')).toEqual(['--pull=always', '--pull=missing']);
    expect(fish('sampan run --ipc container:')).toEqual(['container:web', 'container:db']);
  });

  test('files, folders or neither', () => {
    expect(
      fish('sampan f')
        .map((line) => line.split('\t')[0])
        .toSorted(byName),
    ).toEqual(['file', 'folder/']);
    expect(fish('sampan fo').map((line) => line.split('\t')[0])).toEqual(['folder/']);
    expect(fish('sampan n')).toEqual([]);
    expect(fish('sampan gone')).toEqual([]);
  });
});

describe('zsh', () => {
  /** A shell on a terminal of its own; what is typed, tab included, ends up on its line, which is then printed instead of run. */
  const zsh = (typed: string) => {
    const script = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1= PS2= RPS1=; unsetopt zle_bracketed_paste 2>/dev/null; fpath=(${directory} \\$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w z "show() { print -r -- \\"<<\\$BUFFER>>\\"; BUFFER=; zle .accept-line }; zle -N show; bindkey '^T' show; setopt noautolist nolistbeep; print -r -- READY-\\$((1+1))"
zpty -r z line '*READY-2*'
zpty -w -n z ${JSON.stringify(typed).replaceAll('$', '\\$')}$'\\t\\C-t'
zpty -r z line '*<<*>>*'
print -r -- "\${\${line##*<<}%%>>*}"
zpty -d z`;
    return shell(['zsh', '-f', '-c', script]).at(-1);
  };

  test('the only one is put on the line, with a blank unless something follows', async () => {
    expect(zsh('sampan run ')).toBe('sampan run only ');
    expect(await questions()).toEqual(['__complete|run||']);
    expect(zsh('sampan sto')).toBe('sampan stop ');
    expect(zsh('sampan key')).toBe('sampan key=');
    expect(zsh('sampan st')).toBe('sampan st');
  });

  test('= and : belong to their word', () => {
    expect(zsh('sampan run --pull=al')).toBe('sampan run --pull=always ');
    expect(zsh('sampan run --ipc container:w')).toBe('sampan run --ipc container:web ');
  });

  test('files, folders or neither', () => {
    expect(zsh('sampan fi')).toBe('sampan file ');
    expect(zsh('sampan fo')).toBe('sampan folder/');
    expect(zsh('sampan n')).toBe('sampan n');
    expect(zsh('sampan gone')).toBe('sampan gone');
  });
});
