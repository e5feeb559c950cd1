import { parseByteSize } from '../../../../wire/byte-size.ts';

interface DeviceValue {
  path: string;
  value: string;
}

/** `/dev/sda:200`; or the reason why it is none. */
function split(text: string): DeviceValue | string {
  const at = text.indexOf(':');
  if (at < 0) return `bad format: ${text}`;
  const path = text.slice(0, at);
  if (!path.startsWith('/dev/')) return `bad format for device path: ${text}`;
  return { path, value: text.slice(at + 1) };
}

export function parseDeviceWeight(text: string): { Path: string; Weight: number } | string {
  const parts = split(text);
  if (typeof parts === 'string') return parts;
  const weight = /^\d+$/.test(parts.value) ? Number(parts.value) : Number.NaN;
  if (Number.isNaN(weight) || weight > 65535 || (weight > 0 && (weight < 10 || weight > 1000)))
    return `invalid weight for device: ${text}`;
  return { Path: parts.path, Weight: weight };
}

/** Bytes per second. */
export function parseDeviceRate(text: string): { Path: string; Rate: bigint } | string {
  const parts = split(text);
  if (typeof parts === 'string') return parts;
  const rate = parseByteSize(parts.value);
  if (typeof rate === 'string' || rate < 0n)
    return `invalid rate for device: ${text}. The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional and can be kb, mb, or gb`;
  return { Path: parts.path, Rate: rate };
}

/** Operations per second. */
export function parseDeviceLimit(text: string): { Path: string; Rate: bigint } | string {
  const parts = split(text);
  if (typeof parts === 'string') return parts;
  if (!/^\d+$/.test(parts.value))
    return `invalid rate for device: ${text}. The correct format is <device-path>:<number>. Number must be a positive integer`;
  return { Path: parts.path, Rate: BigInt(parts.value) };
}

const refusal = (parsed: object | string): string | undefined =>
  typeof parsed === 'string' ? parsed : undefined;
export const checkDeviceWeight = (text: string): string | undefined => refusal(parseDeviceWeight(text));
export const checkDeviceRate = (text: string): string | undefined => refusal(parseDeviceRate(text));
export const checkDeviceLimit = (text: string): string | undefined => refusal(parseDeviceLimit(text));
