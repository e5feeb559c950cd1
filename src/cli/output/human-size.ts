const DECIMAL = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'];

/** `1.98MB`: units of 1000, `precision` significant digits. */
export function humanSize(bytes: number | bigint, precision = 4): string {
  return scaled(Number(bytes), { base: 1000, units: DECIMAL, precision });
}

/** `23.54GiB`: units of 1024. */
export function binarySize(bytes: number | bigint): string {
  return scaled(Number(bytes), { base: 1024, units: BINARY, precision: 4 });
}

function scaled(
  bytes: number,
  { base, units, precision }: { base: number; units: readonly string[]; precision: number },
): string {
  let value = bytes;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return `${significant(value, precision)}${units[unit] ?? ''}`;
}

/** As C's `%.<precision>g`. */
function significant(value: number, precision: number): string {
  const rounded = Number(value.toPrecision(precision));
  if (rounded !== 0 && Math.abs(rounded) >= 10 ** precision)
    return rounded.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return String(rounded);
}
