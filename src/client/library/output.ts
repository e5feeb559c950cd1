import { EngineError } from '../../errors/engine-error.ts';
import type { StreamPart } from '../demultiplex.ts';

/** Bytes as they came, and from which stream; with a terminal everything is `stdout`. */
export interface OutputPart {
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
}

/** A line without its end; the last one may have had none. */
export interface OutputLine {
  stream: 'stdout' | 'stderr';
  text: string;
}

export interface CollectedOutput {
  stdout: string;
  stderr: string;
}

const MAX_LINE_LENGTH = 1024 * 1024;
const MAX_COLLECTED_BYTES = 64 * 1024 * 1024;

/**
 * What a container or a command prints. It is one stream, to be read once, in one of these ways: parts, lines, one stream alone, or
 * all of it. Who leaves the loop lets go of the connection. What isn't read holds the writer up.
 */
export class Output implements AsyncIterable<OutputPart> {
  readonly #parts: AsyncIterable<StreamPart>;

  constructor(parts: AsyncIterable<StreamPart>) {
    this.#parts = parts;
  }

  /** Both streams' bytes in the order in which they came. @throws EngineError "internal" with what the daemon has to say instead. */
  async *[Symbol.asyncIterator](): AsyncGenerator<OutputPart, void, undefined> {
    for await (const { stream, data } of this.#parts) {
      if (stream === 'system') throw new EngineError('internal', new TextDecoder().decode(data).trim());
      if (stream !== 'stdin') yield { stream, data };
    }
  }

  /**
   * Both streams' lines, each when it is whole.
   *
   * @throws EngineError "invalid", code size-exceeded, on a line of more than a million characters.
   */
  async *lines(): AsyncGenerator<OutputLine, void, undefined> {
    const open = {
      stdout: { decoder: new TextDecoder(), rest: '' },
      stderr: { decoder: new TextDecoder(), rest: '' },
    };
    for await (const { stream, data } of this) {
      const state = open[stream];
      const lines = (state.rest + state.decoder.decode(data, { stream: true })).split('\n');
      state.rest = lines.pop() ?? '';
      for (const line of lines) yield { stream, text: withoutReturn(line) };
      if (state.rest.length > MAX_LINE_LENGTH) throw tooLong('a line is too long');
    }
    for (const stream of ['stdout', 'stderr'] as const) {
      const last = open[stream].rest + open[stream].decoder.decode();
      if (last !== '') yield { stream, text: withoutReturn(last) };
    }
  }

  /** The bytes of one stream; the other one's are dropped. */
  async *only(wanted: 'stdout' | 'stderr'): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const { stream, data } of this) if (stream === wanted) yield data;
  }

  /**
   * Everything, as text.
   *
   * @throws EngineError "invalid", code size-exceeded, when it is more than `maxBytes` (64 MiB).
   */
  async collect({ maxBytes = MAX_COLLECTED_BYTES }: { maxBytes?: number } = {}): Promise<CollectedOutput> {
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    const text = { stdout: '', stderr: '' };
    let size = 0;
    for await (const { stream, data } of this) {
      size += data.length;
      if (size > maxBytes) throw tooLong(`it is more than ${maxBytes} bytes`);
      text[stream] += decoders[stream].decode(data, { stream: true });
    }
    return {
      stdout: text.stdout + decoders.stdout.decode(),
      stderr: text.stderr + decoders.stderr.decode(),
    };
  }
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function tooLong(what: string): EngineError {
  return new EngineError('invalid', `Cannot read the output: ${what}`, { code: 'size-exceeded' });
}

/** The output of a terminal: one stream, unframed. */
export async function* terminalParts(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamPart, void, undefined> {
  for await (const data of bytes) yield { stream: 'stdout', data };
}
