import { messageOf } from '../errors/engine-error.ts';
import type { CliContext } from './context.ts';

/** A login as `config.json` keeps it. */
export interface StoredLogin {
  /** Base64 of `user:password`. */
  auth?: string;
  username?: string;
  password?: string;
  email?: string;
  identitytoken?: string;
  registrytoken?: string;
}

/** What of Docker's client configuration counts here. */
export interface ConfigFile {
  psFormat?: string;
  imagesFormat?: string;
  statsFormat?: string;
  volumesFormat?: string;
  networksFormat?: string;
  /** `label=a`: added to the filters of every prune. */
  pruneFilters?: string[];
  auths?: Record<string, StoredLogin>;
  /** Suffix of the `docker-credential-…` program that keeps all logins. */
  credsStore?: string;
  /** The same for single registries. */
  credHelpers?: Record<string, string>;
}

export function configPath(context: Pick<CliContext, 'globals'>): string {
  return `${context.globals.configDirectory}/config.json`;
}

/** `config.json` as it is written; empty when there is none. */
export async function readConfigText(context: Pick<CliContext, 'globals'>): Promise<string> {
  const file = Bun.file(configPath(context));
  return (await file.exists()) ? file.text() : '';
}

/** `config.json`; empty when there is none, and, with a warning, when it can't be read. */
export async function readConfigFile(context: CliContext): Promise<ConfigFile> {
  const path = configPath(context);
  let text: string;
  try {
    text = await readConfigText(context);
  } catch (error) {
    await warn(context, `loading config file: open ${path}: ${messageOf(error)}`);
    return {};
  }
  if (text.trim() === '') return {};
  const config: ConfigFile = {};
  try {
    decodeConfig(parseSecretJson(text), config);
  } catch (error) {
    await warn(context, `parsing config file (${path}): ${messageOf(error)}`);
  }
  return config;
}

async function warn(context: CliContext, what: string): Promise<void> {
  await context.stderr.write(`WARNING: Error ${what}\n`);
}

/** As `JSON.parse`, whose own errors quote what they stumble over: a password, say. @throws TypeError `invalid JSON`. */
export function parseSecretJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new TypeError('invalid JSON');
  }
}

const TEXTS = [
  'psFormat',
  'imagesFormat',
  'statsFormat',
  'volumesFormat',
  'networksFormat',
  'credsStore',
] as const;

/** Fills `config` until a known field hasn't the type that Docker gives it. */
function decodeConfig(value: unknown, config: ConfigFile): void {
  const fields = objectOf(value, 'the file');
  for (const key of TEXTS) {
    const text = fields[key];
    if (text !== undefined && text !== null) config[key] = stringOf(text, key);
  }
  const filters = fields.pruneFilters;
  if (Array.isArray(filters)) config.pruneFilters = filters.map((filter) => stringOf(filter, 'pruneFilters'));
  if (fields.credHelpers !== undefined && fields.credHelpers !== null)
    config.credHelpers = strings(fields.credHelpers, 'credHelpers');
  if (fields.auths === undefined || fields.auths === null) return;
  const auths: Record<string, StoredLogin> = Object.fromEntries(
    Object.entries(objectOf(fields.auths, 'auths')).map(([server, login]) => [
      server,
      strings(login ?? {}, `auths[${JSON.stringify(server)}]`),
    ]),
  );
  for (const { auth } of Object.values(auths)) if (auth) splitAuth(auth);
  config.auths = auths;
}

/** User and password of a login's `auth`. @throws TypeError in Docker's words when it has none. */
export function splitAuth(auth: string): { username: string; password: string } {
  const wrong = auth.search(/[^A-Za-z0-9+/=\r\n]/);
  if (wrong >= 0) throw new TypeError(`illegal base64 data at input byte ${wrong}`);
  const decoded = Buffer.from(auth, 'base64').toString();
  const colon = decoded.indexOf(':');
  if (colon <= 0) throw new TypeError('Invalid auth configuration file');
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/^\0+|\0+$/g, '') };
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new TypeError(`${what} is no object`);
}

function strings(value: unknown, what: string): Record<string, string> {
  return Object.fromEntries(
    Object.entries(objectOf(value, what)).flatMap(([key, text]) =>
      text === null ? [] : [[key, stringOf(text, `${what}.${key}`)]],
    ),
  );
}

function stringOf(value: unknown, what: string): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`${what} is no string`);
}
