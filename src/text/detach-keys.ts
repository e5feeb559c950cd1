/** The control characters by their codes: `ctrl-@` is 0, `ctrl-_` is 31. */
const CONTROLS = '@abcdefghijklmnopqrstuvwxyz[\\]^_';

/**
 * Docker's notation of keys that, typed in a row, detach: `ctrl-p,ctrl-q` or `a,b`.
 *
 * @returns what a terminal sends for them. @throws Error "Unknown character: 'KEY'".
 */
export function parseDetachKeys(text: string): Uint8Array {
  return Uint8Array.from(text.split(',').map(keyCode));
}

function keyCode(key: string): number {
  const code = key.length === 1 ? key.charCodeAt(0) : namedCode(key);
  if (code < 0 || code > 127) throw new Error(`Unknown character: '${key}'`);
  return code;
}

function namedCode(key: string): number {
  if (key === 'DEL') return 127;
  return /^ctrl-.$/.test(key) ? CONTROLS.indexOf(key.slice(-1)) : -1;
}
