import { EngineError } from '../errors/engine-error.ts';
import type { CliContext } from './context.ts';

/** What of Docker's client configuration counts here. */
export interface ConfigFile {
  psFormat?: string;
  imagesFormat?: string;
  auths?: Record<string, { auth?: string; identitytoken?: string; username?: string; password?: string }>;
}

/** `config.json`; empty when there is none. @throws EngineError "invalid" when it is no JSON. */
export async function readConfigFile(context: CliContext): Promise<ConfigFile> {
  const path = `${context.globals.configDirectory}/config.json`;
  const file = Bun.file(path);
  if (!(await file.exists())) return {};
  try {
    const config: unknown = JSON.parse(await file.text());
    return typeof config === 'object' && config !== null ? config : {};
  } catch (error) {
    throw new EngineError('invalid', `Cannot read ${path}: it is no JSON`, { cause: error });
  }
}

const HUB_KEY = 'https://index.docker.io/v1/';

/** X-Registry-Auth for a registry, from the stored logins; undefined when there is none. */
export async function registryAuth(context: CliContext, domain: string): Promise<string | undefined> {
  const { auths } = await readConfigFile(context);
  const key = domain === 'docker.io' ? HUB_KEY : domain;
  const entry = auths?.[key] ?? auths?.[`https://${domain}`] ?? auths?.[`https://${domain}/v1/`];
  if (entry === undefined) return undefined;
  const decoded = entry.auth === undefined ? '' : Buffer.from(entry.auth, 'base64').toString();
  const colon = decoded.indexOf(':');
  const credentials = {
    username: entry.username ?? decoded.slice(0, Math.max(0, colon)),
    password: entry.password ?? decoded.slice(colon + 1).replace(/\0+$/, ''),
    ...(entry.identitytoken === undefined ? {} : { identitytoken: entry.identitytoken }),
    serveraddress: key,
  };
  return Buffer.from(JSON.stringify(credentials))
    .toString('base64')
    .replaceAll('+', '-')
    .replaceAll('/', '_');
}
