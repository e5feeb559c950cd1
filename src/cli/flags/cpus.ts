const NANO_DIGITS = 9;

/**
 * `--cpus`: a decimal or a fraction, with at most nine digits after the point.
 *
 * @returns billionths of a CPU, or the reason why it is none, in Docker's words.
 */
export function parseCpus(text: string): bigint | string {
  const fraction = /^([+-]?\d+)\/(\d+)$/.exec(text);
  if (fraction !== null) return parseFraction(text, BigInt(fraction[1] ?? '0'), BigInt(fraction[2] ?? '0'));
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d{1,2}))?$/.exec(text);
  if (match === null || (match[2] === '' && match[3] === ''))
    return `failed to parse ${text} as a rational number`;
  const [, sign, whole = '', digits = '', exponent = '0'] = match;
  const shift = NANO_DIGITS - digits.length + Number(exponent);
  const mantissa = BigInt(`${whole}${digits}`);
  const nano = shift >= 0 ? mantissa * 10n ** BigInt(shift) : mantissa / 10n ** BigInt(-shift);
  if (shift < 0 && mantissa % 10n ** BigInt(-shift) !== 0n) return 'value is too precise';
  return sign === '-' ? -nano : nano;
}

function parseFraction(text: string, above: bigint, below: bigint): bigint | string {
  if (below === 0n) return `failed to parse ${text} as a rational number`;
  const nano = above * 10n ** BigInt(NANO_DIGITS);
  return nano % below === 0n ? nano / below : 'value is too precise';
}
