const UNITS = ['b', 'k', 'm', 'g', 't', 'p'];

/**
 * A size as `--memory` takes it, in units of 1024: `512m`, `1.5GiB`, `64kb`, `-1`.
 *
 * @returns bytes, or the reason why it is none, in Docker's words.
 */
export function parseByteSize(text: string): bigint | string {
  if (text === '-1') return -1n;
  const match = /^(\d+(?:\.\d+)?|\.\d+) ?(?:([bkmgtp])(i?b)?)?$/i.exec(text);
  if (match === null) return refuse(text);
  const [, number = '', unit = 'b', rest] = match;
  if (unit.toLowerCase() === 'b' && rest !== undefined) return refuse(text);
  const power = UNITS.indexOf(unit.toLowerCase());
  const scale = 1n << BigInt(10 * power);
  const [whole = '0', fraction = ''] = number.split('.');
  const parts = (BigInt(fraction || '0') * scale) / 10n ** BigInt(fraction.length);
  return BigInt(whole || '0') * scale + parts;
}

function refuse(text: string): string {
  const number = /^\s*[\d.]+/.exec(text);
  if (number !== null && number[0].split('.').length > 2)
    return `strconv.ParseFloat: parsing ${JSON.stringify(number[0])}: invalid syntax`;
  if (number === null || text.includes('-')) return `invalid size: '${text}'`;
  return `invalid suffix: '${text.slice(number[0].length).trim()}'`;
}
