import { createHmac, randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { type Logger, silentLogger } from '../../errors/logger.ts';
import type { Authenticator } from './access.ts';

const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
/** A verification at this cost takes some seconds: more is a mistake in the file. */
const MAX_COST = 16;
/** What bcrypt looks at. */
const PASSWORD_BYTES = 72;
/** Where there are no users: a hash that no password has. */
const NOBODY = `$2b$10$${'.'.repeat(53)}`;
const REMEMBER_MS = 5 * 60_000;
const MAX_REMEMBERED = 1000;
/** The file is looked at again at most so often. */
const LOOK_MS = 1000;

/**
 * Users of a file as `htpasswd -B` writes it: `name:bcrypt hash`. It is read again when it changes; a version that can't be read leaves the last one in
 * force. A right answer is remembered for some minutes (as a keyed hash, in memory), since clients send it with every request.
 */
export class HtpasswdAuthenticator implements Authenticator {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #key = randomBytes(32);
  readonly #remembered = new Map<string, { hash: string; untilMs: number }>();
  #users: ReadonlyMap<string, string>;
  #version: string;
  #lookedMs = Date.now();

  private constructor(path: string, file: { text: string; version: string }, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
    this.#users = parseHtpasswd(file.text);
    this.#version = file.version;
  }

  /** @throws EngineError "invalid" for a file that can't be read, or has a line that is no user with a bcrypt hash. */
  static async open(path: string, logger: Logger = silentLogger): Promise<HtpasswdAuthenticator> {
    try {
      return new HtpasswdAuthenticator(path, await load(path), logger);
    } catch (error) {
      throw new EngineError('invalid', `Cannot read the password file ${path}: ${messageOf(error)}`);
    }
  }

  async remembers(username: string, password: string): Promise<boolean> {
    await this.#reload();
    const hash = this.#users.get(username);
    const remembered = this.#remembered.get(this.#proof(username, password));
    return hash !== undefined && remembered?.hash === hash && remembered.untilMs > Date.now();
  }

  async verify(username: string, password: string): Promise<boolean> {
    if (await this.remembers(username, password)) return true;
    const hash = this.#users.get(username);
    // An unknown user costs what a known one does.
    const bytes = Buffer.from(password, 'utf8').subarray(0, PASSWORD_BYTES);
    const matches = await Bun.password.verify(bytes, hash ?? this.#anyHash(), 'bcrypt');
    if (hash === undefined || !matches) return false;
    this.#remember(this.#proof(username, password), hash);
    return true;
  }

  #proof(username: string, password: string): string {
    return createHmac('sha256', this.#key).update(`${username}\0${password}`).digest('base64');
  }

  /** The dearest one. */
  #anyHash(): string {
    const hashes = [...this.#users.values()].toSorted((a, b) => costOf(b) - costOf(a));
    return hashes[0] ?? NOBODY;
  }

  #remember(proof: string, hash: string): void {
    if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
    this.#remembered.set(proof, { hash, untilMs: Date.now() + REMEMBER_MS });
  }

  async #reload(): Promise<void> {
    if (Date.now() - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = Date.now();
    try {
      if ((await versionOf(this.#path)) === this.#version) return;
      const { text, version } = await load(this.#path);
      this.#users = parseHtpasswd(text);
      this.#version = version;
    } catch (error) {
      this.#logger.warn('cannot read the password file anew; the last version stays', {
        reason: messageOf(error),
      });
    }
  }
}

/** @throws Error that names the line, never its content. */
export function parseHtpasswd(text: string): Map<string, string> {
  const users = new Map<string, string>();
  text.split('\n').forEach((raw, index) => {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) return;
    const at = line.indexOf(':');
    const cost = costOf(line.slice(at + 1));
    if (at < 1 || Number.isNaN(cost))
      throw new Error(`line ${index + 1} is not a user with a bcrypt hash (htpasswd -B)`);
    if (cost > MAX_COST) throw new Error(`line ${index + 1} has a bcrypt cost over ${MAX_COST}`);
    users.set(line.slice(0, at), line.slice(at + 1));
  });
  return users;
}

/** NaN for what is no bcrypt hash. */
function costOf(hash: string): number {
  return Number(BCRYPT.exec(hash)?.[1]);
}

async function load(path: string): Promise<{ text: string; version: string }> {
  const version = await versionOf(path);
  return { text: await readFile(path, 'utf8'), version };
}

async function versionOf(path: string): Promise<string> {
  const { mtimeMs, size, ino } = await stat(path);
  return `${mtimeMs} ${size} ${ino}`;
}
