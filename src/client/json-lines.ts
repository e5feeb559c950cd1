import { EngineError } from '../errors/engine-error.ts';
import { type Json, parseJson } from '../wire/json.ts';

const MAX_LINE_LENGTH = 64 * 1024 * 1024;

/**
 * JSON values that a stream has line by line (or back to back with line breaks between), as they come.
 *
 * @throws EngineError "invalid" on a line that is no JSON or has no end within 64 Mi characters.
 */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Json, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_LENGTH)
      throw new EngineError('invalid', 'Cannot read the stream: a line is too long', {
        code: 'size-exceeded',
      });
    for (const line of lines) if (line.trim() !== '') yield parse(line);
  }
  const last = rest + decoder.decode();
  if (last.trim() !== '') yield parse(last);
}

function parse(line: string): Json {
  return parseJson(line, { maxLength: MAX_LINE_LENGTH });
}
