import { EngineError } from '../../errors/engine-error.ts';

const CONTROL_CODES: Record<string, number> = {
  'ctrl-@': 0,
  'ctrl-[': 27,
  'ctrl-\\': 28,
  'ctrl-]': 29,
  'ctrl-^': 30,
  'ctrl-_': 31,
  DEL: 127,
};

/**
 * `ctrl-p,ctrl-q` or `a,b` → the bytes that, read in a row, detach.
 *
 * @throws EngineError "invalid" on an unknown key.
 */
export function parseDetachKeys(text: string): Uint8Array {
  return Uint8Array.from(text.split(',').map(keyCode));
}

function keyCode(key: string): number {
  if (key.length === 1) {
    const code = key.charCodeAt(0);
    if (code < 128) return code;
  }
  const letter = /^ctrl-([a-z])$/i.exec(key)?.[1];
  const code = letter === undefined ? CONTROL_CODES[key] : letter.toLowerCase().charCodeAt(0) - 0x60;
  if (code === undefined)
    throw new EngineError('invalid', `Invalid detach keys (${key}) provided: Unknown character: '${key}'`);
  return code;
}
