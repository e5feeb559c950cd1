import { trimSpace, trimStart } from './blank.ts';
import { DirectiveReader, escapeTokenOf, withoutMark } from './directives.ts';
import { atRange, DockerfileError } from './dockerfile-error.ts';
import { readHeredocs } from './heredocs.ts';
import { type InstructionLine, readInstructionLine } from './instruction-line.ts';
import { LineReader, trimLineEnd } from './line-reader.ts';
import type {
  Directive,
  DockerfileNode,
  EscapeToken,
  ParsedDockerfile,
  ParserWarning,
} from './parsed-dockerfile.ts';
import { type SourceRange, sourceRange } from './source-range.ts';
import { MAX_WORDS, tooManyWords } from './words.ts';

/** More than any Dockerfile needs, few enough to be understood and planned at once. */
export const MAX_INSTRUCTIONS = 10_000;

/**
 * Split a Dockerfile into its instructions: directives, comments, continuation lines, flags, JSON forms, heredocs.
 * Keywords that nobody knows are passed on; `readInstructions` refuses them.
 *
 * @throws DockerfileError in BuildKit's words (`unterminated heredoc`, `file with no instructions`, …).
 */
export function parseDockerfile(source: Uint8Array | string): ParsedDockerfile {
  if (source.length === 0) throw new DockerfileError('the Dockerfile cannot be empty');
  return new Parser(source).parse();
}

class Parser {
  readonly #lines: LineReader;
  readonly #directiveReader = new DirectiveReader();
  readonly #directives: Directive[] = [];
  readonly #nodes: DockerfileNode[] = [];
  readonly #warnings: ParserWarning[] = [];
  #escapeToken: EscapeToken = '\\';
  #comments: string[] = [];
  #words = 0;

  constructor(source: Uint8Array | string) {
    this.#lines = new LineReader(source);
  }

  parse(): ParsedDockerfile {
    for (let raw = this.#lines.next(); raw !== undefined; raw = this.#lines.next()) {
      this.#readFrom(this.#lines.lineNumber === 1 ? withoutMark(raw) : raw);
    }
    const lastLine = sourceRange(this.#lines.lineNumber);
    if (this.#lines.failure !== undefined) {
      throw new DockerfileError(this.#lines.failure, sourceRange(this.#lines.lineNumber + 1));
    }
    if (this.#nodes.length === 0) throw new DockerfileError('file with no instructions', lastLine);
    return {
      escapeToken: this.#escapeToken,
      directives: this.#directives,
      nodes: this.#nodes,
      warnings: this.#warnings,
    };
  }

  /** A comment, a blank line, or an instruction that starts here. */
  #readFrom(raw: string): void {
    const line = trimStart(trimLineEnd(raw));
    const directive = this.#directiveReader.read(line);
    if (directive !== undefined) return this.#apply(directive);
    if (line.startsWith('#')) return this.#noteComment(raw);
    const first = this.#cutContinuation(line);
    if (first.ends && first.text === '') return;
    this.#readInstruction(first);
  }

  #apply(directive: Directive): void {
    this.#directives.push(directive);
    if (directive.name === 'escape') this.#escapeToken = escapeTokenOf(directive);
  }

  #noteComment(raw: string): void {
    const comment = trimSpace(raw.slice(1));
    if (comment === '') this.#comments = [];
    else this.#comments.push(comment);
  }

  #readInstruction(first: { text: string; ends: boolean }): void {
    const startLine = this.#lines.lineNumber;
    if (this.#nodes.length >= MAX_INSTRUCTIONS)
      throw new DockerfileError(
        `Cannot build a Dockerfile of more than ${MAX_INSTRUCTIONS} instructions`,
        sourceRange(startLine),
      );
    const joined = first.ends ? first.text : this.#joinContinued(first.text);
    try {
      const line = readInstructionLine(joined, this.#escapeToken);
      this.#words += wordsOf(line);
      if (this.#words > MAX_WORDS) throw tooManyWords();
      const heredocs = readHeredocs(line, this.#lines);
      const range = sourceRange(startLine, this.#lines.lineNumber);
      this.#nodes.push({ ...nodeOf(line, range), heredocs, comments: this.#comments });
    } catch (error) {
      throw atRange(error, sourceRange(startLine, this.#lines.lineNumber));
    }
    this.#comments = [];
  }

  /** Comments between continued lines are dropped; so are blank ones, with a warning. */
  #joinContinued(first: string): string {
    const parts = [first];
    let hasBlank = false;
    for (let raw = this.#lines.next(); raw !== undefined; raw = this.#lines.next()) {
      const line = trimLineEnd(raw);
      const start = trimStart(line);
      if (start.startsWith('#')) continue;
      if (start === '') {
        hasBlank = true;
        continue;
      }
      const { text, ends } = this.#cutContinuation(line);
      parts.push(text);
      if (ends) break;
    }
    const joined = parts.join('');
    if (hasBlank) this.#warnings.push(blankContinuation(joined, sourceRange(this.#lines.lineNumber)));
    return joined;
  }

  /** A line goes on where its last character is the escape token and the one before is not. */
  #cutContinuation(line: string): { text: string; ends: boolean } {
    let end = line.length;
    while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end--;
    const continues = line[end - 1] === this.#escapeToken && line[end - 2] !== this.#escapeToken;
    return continues ? { text: line.slice(0, end - 1), ends: false } : { text: line, ends: true };
  }
}

function wordsOf({ flags, args, child }: InstructionLine): number {
  return flags.length + args.length + (child === undefined ? 0 : wordsOf(child));
}

function nodeOf(line: InstructionLine, range: SourceRange): DockerfileNode {
  const child = line.child === undefined ? undefined : nodeOf(line.child, range);
  return { ...line, child, heredocs: [], comments: [], range };
}

function blankContinuation(joined: string, range: SourceRange): ParserWarning {
  return {
    short: `Empty continuation line found in: ${joined}`,
    detail: ['Empty continuation lines will become errors in a future release'],
    url: 'https://docs.docker.com/go/dockerfile/rule/no-empty-continuation/',
    range,
  };
}
