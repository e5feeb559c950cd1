export const DEFAULT_CONTEXT = 'default';

/** What of `config.json` counts for every command, or for many. */
export interface StartConfig {
  /** What `context use` has written down. */
  currentContext?: string;
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** The default of `--detach-keys`. */
  detachKeys?: string;
  /** By the daemon's address, or `default`. */
  proxies?: Record<string, Record<string, string>>;
  /** Other names of commands: `builder` alone may have one. */
  aliases?: Record<string, string>;
  /** By the plugin's name; `hooks` lists the commands after which it has something to say. */
  plugins?: Record<string, Record<string, string>>;
  /** `hooks`: whether plugins are asked after commands. */
  features?: Record<string, string>;
}

const KEYS = /"(?:currentContext|HttpHeaders|detachKeys|proxies|aliases|plugins|features)"/;

/** Never throws: who reads the file for a purpose of its own says what is wrong with it. */
export async function readStartConfig(configDirectory: string): Promise<StartConfig> {
  let text: string;
  try {
    text = await Bun.file(`${configDirectory}/config.json`).text();
  } catch {
    return {};
  }
  // Most say none of it, and every command comes by here.
  if (!KEYS.test(text)) return {};
  try {
    return decode(JSON.parse(text) as Record<string, unknown>);
  } catch {
    return {};
  }
}

function decode({
  currentContext,
  HttpHeaders,
  detachKeys,
  proxies,
  ...more
}: Record<string, unknown>): StartConfig {
  const config: StartConfig = {};
  if (typeof currentContext === 'string') config.currentContext = currentContext;
  if (typeof detachKeys === 'string') config.detachKeys = detachKeys;
  const headers = texts(HttpHeaders);
  // The client says itself who it is.
  for (const name of Object.keys(headers)) if (/^user-agent$/i.test(name)) delete headers[name];
  if (Object.keys(headers).length > 0) config.headers = headers;
  if (proxies !== undefined) config.proxies = groups(proxies);
  if (more['aliases'] !== undefined) config.aliases = texts(more['aliases']);
  if (more['plugins'] !== undefined) config.plugins = groups(more['plugins']);
  if (more['features'] !== undefined) config.features = texts(more['features']);
  return config;
}

function groups(value: unknown): Record<string, Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, group]) => [name, texts(group)]));
}

function texts(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
