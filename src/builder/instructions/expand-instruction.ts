import { type ExpandOptions, expandWord, type Variables } from '../expansion/expand-word.ts';
import { atRange } from '../parser/dockerfile-error.ts';
import { MAX_DOCKERFILE_BYTES } from '../parser/line-reader.ts';
import type { EscapeToken } from '../parser/parsed-dockerfile.ts';
import type { FileTransfer, Instruction, KeyValue, RunInstruction, RunMount } from './instruction.ts';
import { readRunMount } from './run-mount.ts';

/** How an instruction's words become values: once as words (quotes resolved), once raw for the contents of heredocs (quotes stay). */
export interface WordExpander {
  word(text: string): string;
  raw(text: string): string;
}

export interface ExpanderOptions {
  readonly escapeToken: EscapeToken;
  /** Hears, word by word, of the variables that nobody set; also of those in a word that fails. */
  readonly onUnmatched?: (names: ReadonlySet<string>) => void;
}

/** The expander that a stage uses: heredocs know `\` as their escape token, whatever the file says. */
export function wordExpander(
  variables: Variables,
  { escapeToken, onUnmatched }: ExpanderOptions,
): WordExpander {
  const expand = (text: string, options: ExpandOptions): string => {
    const unmatched = new Set<string>();
    const onLookUp = (name: string, isSet: boolean): unknown => !isSet && unmatched.add(name);
    try {
      return expandWord(text, variables, { ...options, onLookUp }).result;
    } finally {
      onUnmatched?.(unmatched);
    }
  };
  const rawOptions = { escapeToken: '\\', skipQuotes: true, maxLength: 2 * MAX_DOCKERFILE_BYTES } as const;
  return {
    word: (text) => expand(text, { escapeToken }),
    raw: (text) => expand(text, rawOptions),
  };
}

/**
 * The instruction with variables put in where Dockerfiles allow them: ADD, COPY (not `--from`, not `--exclude`), ENV, LABEL, USER,
 * WORKDIR, VOLUME, STOPSIGNAL, heredoc contents of ADD and COPY. The others come back as they are: ARG is `declareArg`'s, EXPOSE
 * `readExposedPorts`', RUN's mounts `readMounts`'; CMD, ENTRYPOINT and RUN leave their variables to the shell.
 *
 * @throws DockerfileError with the instruction's lines.
 */
export function expandInstruction<T extends Instruction>(instruction: T, expand: WordExpander): T {
  try {
    return { ...instruction, ...expandedFields(instruction, expand) };
  } catch (error) {
    throw atRange(error, instruction.range);
  }
}

function expandedFields(instruction: Instruction, expand: WordExpander): Partial<Instruction> {
  switch (instruction.kind) {
    case 'env':
      return { env: expandPairs(instruction.env, expand) };
    case 'label':
      return { labels: expandPairs(instruction.labels, expand) };
    case 'copy':
      return expandTransfer(instruction, expand);
    case 'add':
      return { ...expandTransfer(instruction, expand), checksum: expand.word(instruction.checksum) };
    case 'user':
      return { user: expand.word(instruction.user) };
    case 'workdir':
      return { path: expand.word(instruction.path) };
    case 'volume':
      return { volumes: instruction.volumes.map((volume) => expand.word(volume)) };
    case 'stopsignal':
      return { signal: expand.word(instruction.signal) };
    default:
      return {};
  }
}

function expandPairs(pairs: readonly KeyValue[], expand: WordExpander): KeyValue[] {
  return pairs.map((pair) => ({ ...pair, key: expand.word(pair.key), value: expand.word(pair.value) }));
}

function expandTransfer(transfer: FileTransfer, expand: WordExpander) {
  return {
    chown: expand.word(transfer.chown),
    chmod: expand.word(transfer.chmod),
    sources: transfer.sources.map((source) => expand.word(source)),
    destination: expand.word(transfer.destination),
    contents: transfer.contents.map((content) =>
      content.expand ? { ...content, data: expand.raw(content.data) } : content,
    ),
  };
}

/** The mounts of a RUN, expanded and checked. @throws DockerfileError with the instruction's lines. */
export function readMounts(run: RunInstruction, expand: Pick<WordExpander, 'word'>): RunMount[] {
  try {
    return run.mounts.map((mount) => readRunMount(mount, (text) => expand.word(text)));
  } catch (error) {
    throw atRange(error, run.range);
  }
}
