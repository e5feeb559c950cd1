import { parseDuration } from '../../wire/time.ts';

const SECONDS: Readonly<Record<string, bigint>> = { d: 86_400n, w: 604_800n };
const NANO = 1_000_000_000n;

/**
 * An age in whole seconds: `30d`, `2w`, or a duration as Go has it (`36h`, `1h30m`).
 *
 * @returns the reason why it is none, in words.
 */
export function parseAge(text: string): bigint | string {
  const [, count, unit] = /^(\d{1,6})([dw])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return BigInt(count) * (SECONDS[unit] ?? 0n);
  const nano = parseDuration(text);
  if (nano === undefined) return `no duration: ${JSON.stringify(text)} (expected 30d, 2w or 36h)`;
  return nano < 0n ? `negative duration: ${JSON.stringify(text)}` : nano / NANO;
}
