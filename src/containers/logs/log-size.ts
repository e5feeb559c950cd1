import { EngineError } from '../../errors/engine-error.ts';

const DECIMAL: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12, p: 1e15 };

/** `20m`, `1.5 GB`: Docker's decimal sizes, in bytes. @throws EngineError "invalid" in Docker's words. */
export function parseDecimalSize(text: string): number {
  return sizeOf(text, 1000);
}

/** `1m`, `64KiB`: the same in powers of 1024. @throws as `parseDecimalSize`. */
export function parseBinarySize(text: string): number {
  return sizeOf(text, 1024);
}

function sizeOf(text: string, base: 1000 | 1024): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (match === null) throw new EngineError('invalid', `invalid size: '${text}'`);
  const [, number = '', unit = ''] = match;
  const decimal = DECIMAL[unit.toLowerCase()] ?? 1;
  const scale = base === 1000 ? decimal : 1024 ** Math.round(Math.log10(decimal) / 3);
  return Math.floor(Number(number) * scale);
}
