import type { Flag } from '../../flags/flag.ts';

/** Where a registry of its own keeps its things. */
export const DEFAULT_ROOT = '/var/lib/sampan-registry';

const ROOT_FLAG: Flag = {
  name: 'root',
  kind: 'string',
  usage: "The registry's folder; an engine's is DATA-ROOT/registry",
  default: DEFAULT_ROOT,
};

export const SERVE_FLAGS: readonly Flag[] = [
  ROOT_FLAG,
  { name: 'addr', kind: 'string', usage: 'Address to listen on', default: '127.0.0.1:5000' },
  { name: 'writable', kind: 'bool', usage: 'Take pushes and removals from anybody who can connect' },
  { name: 'read-only', kind: 'bool', usage: 'Take no pushes, whoever comes' },
  { name: 'htpasswd', kind: 'string', usage: 'File of users (htpasswd -B): they may read and push' },
  { name: 'anonymous-read', kind: 'bool', usage: 'With --htpasswd: reading takes no name' },
  { name: 'tls-cert', kind: 'string', usage: 'Certificate chain (PEM)' },
  { name: 'tls-key', kind: 'string', usage: 'Key of the certificate (PEM)' },
  {
    name: 'tls-client-ca',
    kind: 'string',
    usage: 'Let in only clients with a certificate of these authorities (PEM)',
  },
  { name: 'proxy', kind: 'string', usage: 'Fetch from this registry what is not here, and keep it' },
  {
    name: 'proxy-credentials',
    kind: 'string',
    usage: 'File with user:password for the registry of --proxy',
  },
  { name: 'max-size', kind: 'bytes', usage: 'How much of --proxy to keep', default: '10GB' },
  { name: 'max-blob-size', kind: 'bytes', usage: 'Refuse uploads over this size', default: '1TB' },
  {
    name: 'certs-dir',
    kind: 'string',
    usage: 'Folder of HOST/ca.crt, client.cert, client.key for the registry of --proxy',
    default: '/etc/docker/certs.d',
  },
  { name: 'public-url', kind: 'string', usage: 'Address that clients know this registry by' },
  { name: 'relative-urls', kind: 'bool', usage: 'Answer with paths instead of whole URLs' },
  {
    name: 'gc-interval',
    kind: 'duration',
    usage: 'Collect garbage so often; 0 never does',
    default: '24h',
    shownDefault: '24h',
  },
  { name: 'log-format', kind: 'string', usage: 'Format of the log: text, json', default: 'text' },
  { name: 'debug', short: 'D', kind: 'bool', usage: 'Log more' },
];

export const LIST_FLAGS: readonly Flag[] = [
  ROOT_FLAG,
  { name: 'format', kind: 'string', usage: 'table or json (one object a line)', default: 'table' },
  { name: 'quiet', short: 'q', kind: 'bool', usage: 'Names alone' },
];

export const GC_FLAGS: readonly Flag[] = [
  ROOT_FLAG,
  { name: 'dry-run', kind: 'bool', usage: 'Say what would go, remove nothing' },
  { name: 'untagged', kind: 'bool', usage: 'Remove manifests that no tag leads to as well' },
  {
    name: 'grace',
    kind: 'duration',
    usage: 'Keep what was used within this time',
    default: '1h',
    shownDefault: '1h',
  },
];
