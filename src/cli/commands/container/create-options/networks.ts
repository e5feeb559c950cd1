import { parseCsv } from '../../../flags/csv.ts';

export interface NetworkAttachment {
  target: string;
  aliases: string[];
  driverOpts: Record<string, string> | undefined;
  ip: string;
  ip6: string;
  linkLocalIps: string[];
  macAddress: string;
  gwPriority: number;
}

/** `net1`, or `name=net1,alias=x,ip=…,driver-opt=k=v`; or the reason why it is none. */
export function parseNetwork(text: string): NetworkAttachment | string {
  const network: NetworkAttachment = {
    target: text,
    aliases: [],
    driverOpts: undefined,
    ip: '',
    ip6: '',
    linkLocalIps: [],
    macAddress: '',
    gwPriority: 0,
  };
  if (!/^(?:[^,]*,)*\s*[\w-]+=/.test(text)) return network;
  network.target = '';
  for (const field of parseCsv(text)) {
    const at = field.indexOf('=');
    if (at < 0) return `invalid field ${field}`;
    const key = field.slice(0, at).trim().toLowerCase();
    const refused = setField(network, key, field.slice(at + 1).trim());
    if (refused !== undefined) return refused;
  }
  return network.target === '' ? 'network name/id is not specified' : network;
}

function setField(network: NetworkAttachment, key: string, value: string): string | undefined {
  switch (key) {
    case 'name':
      network.target = value;
      return undefined;
    case 'alias':
      network.aliases.push(value);
      return undefined;
    case 'ip':
      network.ip = value;
      return undefined;
    case 'ip6':
      network.ip6 = value;
      return undefined;
    case 'mac-address':
      network.macAddress = value;
      return undefined;
    case 'link-local-ip':
      network.linkLocalIps.push(value);
      return undefined;
    case 'gw-priority':
      if (!/^[+-]?\d+$/.test(value)) return `invalid gw-priority (${value}): invalid syntax`;
      network.gwPriority = Number(value);
      return undefined;
    case 'driver-opt': {
      const at = value.indexOf('=');
      if (at <= 0) return 'invalid key value pair format in driver options';
      network.driverOpts = { ...network.driverOpts, [value.slice(0, at)]: value.slice(at + 1) };
      return undefined;
    }
    default:
      return `invalid field key ${key}`;
  }
}
