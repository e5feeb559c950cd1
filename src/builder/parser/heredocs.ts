import { expandWords } from '../expansion/expand-word.ts';
import { DockerfileError } from './dockerfile-error.ts';
import type { InstructionLine } from './instruction-line.ts';
import { type LineReader, trimLineEnd } from './line-reader.ts';
import type { Heredoc } from './parsed-dockerfile.ts';

/** A heredoc that is announced; its content follows the line. */
export type HeredocWord = Omit<Heredoc, 'content'>;

const NO_VARIABLES = { get: () => undefined };
const MAX_FILE_DESCRIPTOR = 2 ** 31 - 1;

/**
 * A word like `<<EOF`, `3<<-'END'`; undefined for any other.
 *
 * @throws DockerfileError on unbalanced quotes behind the `<<`.
 */
export function readHeredocWord(word: string): HeredocWord | undefined {
  const start = /^(\d*)<<(-?)/.exec(word);
  if (start === null) return undefined;
  const rest = word.slice(start[0].length).replace(/^[\t\n\f\r ]+/, '');
  if (rest === '' || rest.includes('<')) return undefined;
  const options = { escapeToken: '\\', skipUnset: true } as const;
  const names = expandWords(rest, NO_VARIABLES, options);
  const [name] = names;
  if (name === undefined || names.length > 1) return undefined;
  const [raw = ''] = expandWords(rest, NO_VARIABLES, { ...options, rawQuotes: true });
  return {
    name,
    fileDescriptor: Math.min(Number(start[1]), MAX_FILE_DESCRIPTOR),
    expand: countQuotes(name) === countQuotes(raw),
    chomp: start[2] === '-',
  };
}

/** Read the contents of the heredocs that an instruction announces. @throws DockerfileError without a range. */
export function readHeredocs(line: InstructionLine, lines: LineReader): Heredoc[] {
  if (!mayHaveHeredocs(line) || !line.original.includes('<<')) return [];
  return announced(line.original).map((word) => ({ ...word, content: readContent(word, lines) }));
}

/** The content without leading tabs, as `<<-` wants it. */
export function chompHeredoc(content: string): string {
  return content.replace(/^\t+/gm, '');
}

function mayHaveHeredocs(line: InstructionLine): boolean {
  const inner = line.keyword.toLowerCase() === 'onbuild' ? (line.child ?? line) : line;
  return ['add', 'copy', 'run'].includes(inner.keyword.toLowerCase()) && !inner.json;
}

function announced(line: string): HeredocWord[] {
  let words: string[];
  try {
    words = expandWords(line, NO_VARIABLES, {
      escapeToken: '\\',
      rawQuotes: true,
      rawEscapes: true,
      skipUnset: true,
    });
  } catch (error) {
    // What the lexer can't take apart is a shell's business, and announces nothing.
    if (error instanceof DockerfileError) return [];
    throw error;
  }
  return words.map(readHeredocWord).filter((word) => word !== undefined);
}

function readContent(word: HeredocWord, lines: LineReader): string {
  const parts: string[] = [];
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    const end = trimLineEnd(line);
    if ((word.chomp ? end.replace(/^\t+/, '') : end) === word.name) return parts.join('');
    parts.push(line);
  }
  throw new DockerfileError('unterminated heredoc');
}

function countQuotes(text: string): number {
  return text.length - text.replaceAll("'", '').replaceAll('"', '').length;
}
