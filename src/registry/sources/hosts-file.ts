import { isAbsolute, join } from 'node:path';
import { parse } from 'smol-toml';
import { EngineError, messageOf } from '../../errors/engine-error.ts';

/** What a host may be asked for, and trusted with (containerd's words). */
export type HostCapability = 'pull' | 'resolve' | 'push' | 'referrers';

/** One host of a hosts.toml. Paths are absolute, no file has been read yet. */
export interface HostEntry {
  /** As written, without trailing slash: what warnings call it. Empty for a `server` that isn't given. */
  url: string;
  /** Where the API begins: with `/v2`, unless `override_path` says that the URL is it. */
  apiBase: string;
  /** Undefined where the file doesn't say: it may do everything, but nobody has vouched for it. */
  capabilities: ReadonlySet<HostCapability> | undefined;
  ca: readonly string[];
  /** Certificate and key; one file may hold both. */
  clients: readonly (readonly [cert: string, key: string])[];
  skipVerify: boolean | undefined;
  headers: Readonly<Record<string, string>>;
  /** How long a connection may take to come about. */
  dialTimeoutMs: number | undefined;
}

export interface HostsFile {
  /** Asked in this order, before the server. */
  hosts: readonly HostEntry[];
  server: HostEntry;
}

type Table = Readonly<Record<string, unknown>>;

const ENTRY_KEYS = ['capabilities', 'ca', 'client', 'skip_verify', 'override_path', 'header', 'dial_timeout'];
const CAPABILITIES: readonly string[] = ['pull', 'resolve', 'push', 'referrers'];
const UNIT_MS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
  us: 0.001,
  ns: 1e-6,
};

/**
 * Read a hosts.toml (containerd's docs/hosts.md). A key that isn't known is a mistake, not ignored: a misspelt `capabilities` would trust a host with everything.
 *
 * @param path Of the file: for messages, and for the certificates that it names relative to itself.
 * @throws EngineError "invalid" naming file and key.
 */
export function parseHostsFile(text: string, path: string): HostsFile {
  const refuse = (reason: string) => new EngineError('invalid', `Cannot use ${path}: ${reason}`);
  const root = parseToml(text, refuse);
  refuseUnknown(root, ['server', 'host', ...ENTRY_KEYS], refuse);
  const { server, host = {}, ...own } = root;
  if (server !== undefined && typeof server !== 'string') throw refuse('server must be a string');
  if (!isTable(host)) throw refuse('host must be a table');
  const context = { folder: join(path, '..'), refuse };
  return {
    hosts: Object.entries(host).map(([url, entry]) => {
      if (!isTable(entry)) throw refuse(`host.${JSON.stringify(url)} must be a table`);
      refuseUnknown(entry, ENTRY_KEYS, (reason) => refuse(`host.${JSON.stringify(url)}: ${reason}`));
      return decodeEntry(url, entry, context);
    }),
    server: decodeEntry(server ?? '', own, context),
  };
}

interface Context {
  folder: string;
  refuse: (reason: string) => EngineError;
}

function parseToml(text: string, refuse: Context['refuse']): Table {
  try {
    return parse(text);
  } catch (error) {
    // Its message goes on with an excerpt of the file, which may hold a secret header.
    throw refuse(messageOf(error).split('\n', 1)[0] ?? '');
  }
}

function refuseUnknown(table: Table, known: readonly string[], refuse: Context['refuse']): void {
  const unknown = Object.keys(table).filter((key) => !known.includes(key));
  if (unknown.length > 0) throw refuse(`unknown key ${unknown.map((key) => JSON.stringify(key)).join(', ')}`);
}

function decodeEntry(url: string, table: Table, { folder, refuse }: Context): HostEntry {
  const overridePath = booleanOf(table, 'override_path', refuse) ?? false;
  const absolute = (file: string) => (isAbsolute(file) ? file : join(folder, file));
  return {
    ...addressOf(url, overridePath, refuse),
    capabilities: capabilitiesOf(table['capabilities'], refuse),
    ca: stringsOf(table['ca'], 'ca', refuse).map(absolute),
    clients: clientsOf(table['client'], refuse).map(
      ([cert, key]) => [absolute(cert), absolute(key)] as const,
    ),
    skipVerify: booleanOf(table, 'skip_verify', refuse),
    headers: headersOf(table['header'], refuse),
    dialTimeoutMs: durationOf(table['dial_timeout'], refuse),
  };
}

function addressOf(
  text: string,
  overridePath: boolean,
  refuse: Context['refuse'],
): Pick<HostEntry, 'url' | 'apiBase'> {
  if (text === '') return { url: '', apiBase: '' };
  const url = URL.parse(/^https?:\/\//.test(text) ? text : `https://${text}`);
  if (url === null || url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    throw refuse(
      'a host is an http or https URL without user, query and fragment, or a host name with or without port',
    );
  const path = url.pathname.replace(/\/+$/, '');
  const base = `${url.protocol}//${url.host}${path}`;
  const isApi = overridePath || path.endsWith('/v2');
  return { url: base, apiBase: isApi ? base : `${base}/v2` };
}

function capabilitiesOf(value: unknown, refuse: Context['refuse']): HostEntry['capabilities'] {
  const names = stringsOf(value, 'capabilities', refuse).map((name) => name.toLowerCase());
  const unknown = names.find((name) => !CAPABILITIES.includes(name));
  if (unknown !== undefined) throw refuse(`unknown capability ${JSON.stringify(unknown)}`);
  return names.length === 0 ? undefined : new Set(names as HostCapability[]);
}

function clientsOf(value: unknown, refuse: Context['refuse']): [string, string][] {
  const entries = typeof value === 'string' ? [value] : (value ?? []);
  const wrong = () => refuse('client must be a path, a list of paths, or a list of pairs of paths');
  if (!Array.isArray(entries)) throw wrong();
  return entries.map((entry: unknown): [string, string] => {
    if (typeof entry === 'string') return [entry, entry];
    const [cert, key, ...rest] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof cert !== 'string' || typeof key !== 'string' || rest.length > 0) throw wrong();
    return [cert, key === '' ? cert : key];
  });
}

function headersOf(value: unknown, refuse: Context['refuse']): Record<string, string> {
  if (value === undefined) return {};
  if (!isTable(value)) throw refuse('header must be a table');
  return Object.fromEntries(
    Object.entries(value).map(([name, content]) => {
      const text = stringsOf(content, `header ${name}`, refuse).join(', ');
      if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name) || !/^[\t\x20-\x7e]*$/.test(text))
        throw refuse(`header ${JSON.stringify(name)} is no valid HTTP header`);
      return [name.toLowerCase(), text];
    }),
  );
}

/** Go's notation: `1s`, `500ms`, `1m30s`. */
function durationOf(value: unknown, refuse: Context['refuse']): number | undefined {
  if (value === undefined || value === '') return undefined;
  const parts = typeof value === 'string' ? [...value.matchAll(/(\d+(?:\.\d*)?)(h|ms|us|ns|m|s)/g)] : [];
  const total = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNIT_MS[unit ?? ''] ?? 0), 0);
  if (parts.map(([text]) => text).join('') !== value || total <= 0)
    throw refuse('dial_timeout must be a duration like "1s"');
  return total;
}

function booleanOf(table: Table, key: string, refuse: Context['refuse']): boolean | undefined {
  const value = table[key];
  if (value === undefined || typeof value === 'boolean') return value;
  throw refuse(`${key} must be true or false`);
}

function stringsOf(value: unknown, key: string, refuse: Context['refuse']): string[] {
  if (value === undefined) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((entry) => {
    if (typeof entry === 'string') return entry;
    throw refuse(`${key} must be a string or a list of strings`);
  });
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
