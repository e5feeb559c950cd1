import { parseCsv } from '../../../flags/csv.ts';

export interface DeviceRequest {
  Driver: string;
  Count: number;
  DeviceIDs: string[] | null;
  Capabilities: string[][];
  Options: Record<string, string>;
}

const KEYS = new Set(['driver', 'count', 'device', 'capabilities', 'options']);

/** `all`, `2`, `device=0`, `"driver=nvidia,capabilities=utility"`; or the reason why it is none. */
export function parseGpus(text: string): DeviceRequest | string {
  const request: DeviceRequest = { Driver: '', Count: 0, DeviceIDs: null, Capabilities: [], Options: {} };
  const seen = new Set<string>();
  for (const field of parseCsv(text)) {
    const at = field.indexOf('=');
    const key = at < 0 ? 'count' : field.slice(0, at);
    const value = at < 0 ? field : field.slice(at + 1);
    if (!KEYS.has(key)) return `unexpected key '${key}' in '${field}'`;
    if (seen.has(key)) return `gpu request key '${key}' can be specified only once`;
    seen.add(key);
    const refused = set(request, key, value);
    if (refused !== undefined) return refused;
  }
  if (!seen.has('count') && request.DeviceIDs === null) request.Count = 1;
  if (request.Capabilities.length === 0) request.Capabilities = [['gpu']];
  return request;
}

function set(request: DeviceRequest, key: string, value: string): string | undefined {
  if (key === 'driver') request.Driver = value;
  else if (key === 'device') request.DeviceIDs = value.split(',');
  else if (key === 'capabilities') request.Capabilities = [[...value.split(','), 'gpu']];
  else if (key === 'options') request.Options = Object.fromEntries(parseCsv(value).map(splitPair));
  else if (value === 'all') request.Count = -1;
  else if (/^[+-]?\d+$/.test(value)) request.Count = Number(value);
  else return `invalid count (${value}): value must be either "all" or an integer: invalid syntax`;
  return undefined;
}

function splitPair(text: string): [string, string] {
  const at = text.indexOf('=');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
