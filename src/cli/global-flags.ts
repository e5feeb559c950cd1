import type { Flag } from './flags/flag.ts';

const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'];

/** Flags that stand before the command. */
export function globalFlags(configDirectory: string): Flag[] {
  return [
    {
      name: 'config',
      kind: 'string',
      usage: 'Folder of the client configuration',
      default: configDirectory,
    },
    {
      name: 'context',
      short: 'c',
      kind: 'string',
      usage: 'Context that names the daemon',
    },
    { name: 'debug', short: 'D', kind: 'bool', usage: 'Debug mode' },
    { name: 'host', short: 'H', kind: 'list', usage: 'Socket of the daemon to connect to' },
    {
      name: 'log-level',
      short: 'l',
      kind: 'string',
      usage: `Level of logging (${LEVELS.map((level) => JSON.stringify(level)).join(', ')})`,
      default: 'info',
    },
    { name: 'tls', kind: 'bool', usage: 'Use TLS; implied by --tlsverify' },
    {
      name: 'tlscacert',
      kind: 'string',
      usage: 'Trust only certificates signed by this CA',
      default: `${configDirectory}/ca.pem`,
    },
    { name: 'tlscert', kind: 'string', usage: 'TLS certificate', default: `${configDirectory}/cert.pem` },
    { name: 'tlskey', kind: 'string', usage: 'TLS key', default: `${configDirectory}/key.pem` },
    { name: 'tlsverify', kind: 'bool', usage: 'Use TLS and verify the daemon' },
    { name: 'version', short: 'v', kind: 'bool', usage: 'Show the version and quit' },
  ];
}

export function isLogLevel(level: string): boolean {
  return LEVELS.includes(level) || level === 'trace' || level === 'panic' || level === 'warning';
}
