import { EngineError } from '../../errors/engine-error.ts';
import type { ApiRequest } from '../api-request.ts';

/** `h` and `w` of a resize. @throws EngineError "invalid" in Docker's words for what is no number of 32 bits. */
export function terminalSize(request: ApiRequest): { columns: number; rows: number } {
  const rows = dimension(request, 'h', 'height');
  const columns = dimension(request, 'w', 'width');
  return { columns, rows };
}

function dimension(request: ApiRequest, name: string, word: string): number {
  const text = request.query.get(name) ?? '';
  const value = Number(text);
  if (!/^-?\d+$/.test(text))
    throw new EngineError('invalid', `invalid resize ${word} ${JSON.stringify(text)}: invalid syntax`);
  if (value < 0 || value > 0xffff_ffff)
    throw new EngineError('invalid', `invalid resize ${word} ${JSON.stringify(text)}: value out of range`);
  return Math.min(value, 0xffff);
}
