import { isIP } from 'node:net';
import { EngineError } from '../../errors/engine-error.ts';

/** A step's hosts file. `extra` as `--add-host` has it. @throws EngineError "invalid". */
export function hostsText(
  hostname: string,
  { extra, gateway }: { extra: readonly string[]; gateway: string | undefined },
): string {
  const lines = [
    `127.0.0.1\tlocalhost ${hostname}`,
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...extra.map((text) => extraLine(text, gateway)),
  ];
  return `${lines.join('\n')}\n`;
}

function extraLine(text: string, gateway: string | undefined): string {
  const [, name = '', raw = ''] = /^([^:=\s]+)[:=](.+)$/.exec(text) ?? [];
  if (name === '') throw new EngineError('invalid', `bad format for add-host: ${JSON.stringify(text)}`);
  const address = raw.replace(/^\[(.*)\]$/, '$1');
  const found = address === 'host-gateway' ? gateway : address;
  if (found === undefined)
    throw new EngineError(
      'invalid',
      'unable to derive the IP value for host-gateway: there is no bridge network',
    );
  if (isIP(found) === 0)
    throw new EngineError('invalid', `invalid IP address in add-host: ${JSON.stringify(raw)}`);
  return `${found}\t${name}`;
}
