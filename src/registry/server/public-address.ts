import { isDomain } from '../../oci/reference.ts';

export interface PublicAddressOptions {
  /** Where clients find this registry (`https://registry.example.com`), whatever a request says. */
  publicUrl?: string;
  /** Whether the registry itself speaks TLS. */
  secure?: boolean;
}

/**
 * How the client of a request reaches us, for `Location` and `Link`: the address that the registry was told, else what a reverse proxy in front says
 * (`X-Forwarded-*`, RFC 7239 `Forwarded`), else `Host`. Empty for what is no host: a path alone.
 */
export function publicBase(headers: Headers, options: PublicAddressOptions): string {
  if (options.publicUrl !== undefined) return options.publicUrl.replace(/\/+$/, '');
  const forwarded = forwardedOf(headers.get('forwarded'));
  const proto = first(headers.get('x-forwarded-proto')) || forwarded.proto;
  const host = first(headers.get('x-forwarded-host')) || forwarded.host || (headers.get('host') ?? '');
  const port = first(headers.get('x-forwarded-port'));
  const prefix = first(headers.get('x-forwarded-prefix')).replace(/\/+$/, '');
  const scheme = /^https?$/.test(proto) ? proto : options.secure === true ? 'https' : 'http';
  const whole = /^\d{1,5}$/.test(port) && !/:\d+$/.test(host) ? withPort(host, port, scheme) : host;
  if (!isDomain(whole)) return '';
  return `${scheme}://${whole}${/^(\/[\w.~-]+)+$/.test(prefix) ? prefix : ''}`;
}

function withPort(host: string, port: string, scheme: string): string {
  return port === (scheme === 'https' ? '443' : '80') ? host : `${host}:${port}`;
}

function first(header: string | null): string {
  return (header ?? '').split(',', 1)[0]?.trim() ?? '';
}

/** Host and protocol of the first hop. */
function forwardedOf(header: string | null): { host: string; proto: string } {
  const pairs = first(header).split(';');
  const value = (name: string) => {
    const pair = pairs.find((one) => one.trim().toLowerCase().startsWith(`${name}=`)) ?? '';
    return pair
      .trim()
      .slice(name.length + 1)
      .replace(/^"(.*)"$/, '$1');
  };
  return { host: value('host'), proto: value('proto').toLowerCase() };
}
