import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import { parseReference, type Reference, repositoryName } from '../../oci/reference.ts';
import { parseJson } from '../../wire/json.ts';

/** What is asked of the images of some repositories. */
export type SignatureRule =
  | { kind: 'accept' }
  | { kind: 'reject' }
  | {
      kind: 'signed';
      /** One of these must have signed. */
      keys: KeyObject[];
      /** The repository that signatures name; the image's own where it isn't said, `*` for whichever. */
      signedAs: string | undefined;
    };

/** Rules by pattern: a repository (`docker.io/library/busybox`), or all below a prefix (`registry.example.com/team/*`). */
export interface SignaturePolicy {
  otherwise: SignatureRule;
  rules: ReadonlyMap<string, SignatureRule>;
}

const MAX_POLICY_BYTES = 1 << 20;
const MAX_KEY_BYTES = 64 << 10;
const MAX_RULES = 1000;
const MAX_KEYS = 16;
const MIN_RSA_BITS = 2048;

/** The rule for a repository and the pattern that it stands under: the longest that fits. */
export function ruleFor(
  { rules, otherwise }: SignaturePolicy,
  reference: Pick<Reference, 'domain' | 'path'>,
): { pattern: string; rule: SignatureRule } {
  const name = repositoryName({ ...reference, tag: undefined, digest: undefined });
  const exact = rules.get(name);
  if (exact !== undefined) return { pattern: name, rule: exact };
  for (let slash = name.lastIndexOf('/'); slash > 0; slash = name.lastIndexOf('/', slash - 1)) {
    const pattern = `${name.slice(0, slash)}/*`;
    const rule = rules.get(pattern);
    if (rule !== undefined) return { pattern, rule };
  }
  return { pattern: 'default', rule: otherwise };
}

/**
 * Read a policy with the keys that it names; relative paths begin at its folder.
 *
 * @throws EngineError "internal" for anything that isn't understood whole: a rule that is passed over would let images in.
 */
export async function readSignaturePolicy(path: string): Promise<SignaturePolicy> {
  try {
    const text = await readBounded(path, MAX_POLICY_BYTES);
    const { default: otherwise, repositories = {}, ...others } = record(parseJson(text), 'the policy');
    refuseUnknown(others, 'the policy');
    const entries = Object.entries(record(repositories, 'repositories'));
    if (entries.length > MAX_RULES) throw new Error(`it has more than ${MAX_RULES} rules`);
    const context = { directory: dirname(resolve(path)), keys: new Map<string, KeyObject>() };
    const rules = new Map<string, SignatureRule>();
    for (const [pattern, rule] of entries) {
      if (checkPattern(pattern) !== pattern)
        throw new Error(
          `${JSON.stringify(pattern)} has to be written ${JSON.stringify(checkPattern(pattern))}`,
        );
      rules.set(pattern, await readRule(rule, JSON.stringify(pattern), context));
    }
    if (otherwise === undefined) throw new Error('default is missing: expected "accept", "reject" or keys');
    return { otherwise: await readRule(otherwise, 'default', context), rules };
  } catch (error) {
    throw new EngineError('internal', `Cannot use signature policy ${path}: ${messageOf(error)}`, {
      code: 'signature-refused',
      cause: error,
    });
  }
}

interface Context {
  directory: string;
  /** Read once, by where they are. */
  keys: Map<string, KeyObject>;
}

async function readRule(value: unknown, what: string, context: Context): Promise<SignatureRule> {
  if (value === 'accept' || value === 'reject') return { kind: value };
  const { keys, signedAs, ...others } = record(value, what);
  refuseUnknown(others, what);
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > MAX_KEYS)
    throw new Error(`${what}: keys must be a list of 1 to ${MAX_KEYS} PEM files or texts`);
  if (signedAs !== undefined && typeof signedAs !== 'string')
    throw new Error(`${what}: signedAs must be a repository's name`);
  const read: KeyObject[] = [];
  for (const key of keys) {
    if (typeof key !== 'string') throw new Error(`${what}: keys must be PEM files or texts`);
    read.push(await readKey(key, context));
  }
  return {
    kind: 'signed',
    keys: read,
    signedAs: signedAs === undefined || signedAs === '*' ? signedAs : repositoryOf(signedAs),
  };
}

async function readKey(text: string, { directory, keys }: Context): Promise<KeyObject> {
  const isPem = text.trimStart().startsWith('-----BEGIN');
  const name = isPem ? text : resolve(directory, text);
  const shown = isPem ? 'a key' : name;
  const known = keys.get(name);
  if (known !== undefined) return known;
  const pem = isPem ? text : await readBounded(name, MAX_KEY_BYTES);
  if (/PRIVATE KEY/.test(pem)) throw new Error(`${shown} is a private key: expected the public one`);
  const key = publicKey(pem, shown);
  keys.set(name, key);
  return key;
}

/** What cosign makes and takes: ECDSA P-256, Ed25519, RSA. */
function publicKey(pem: string, shown: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw new Error(`${shown} is no public key in PEM`);
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const isKnown =
    type === 'ed25519' ||
    (type === 'ec' && details?.namedCurve === 'prime256v1') ||
    (type === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS);
  if (isKnown) return key;
  throw new Error(`${shown} is none of ECDSA P-256, Ed25519 and RSA of ${MIN_RSA_BITS} bits or more`);
}

async function readBounded(path: string, maxBytes: number): Promise<string> {
  const found = await stat(path);
  if (!found.isFile()) throw new Error(`${path} is no file`);
  if (found.size > maxBytes) throw new Error(`${path} has more than ${maxBytes} bytes`);
  return await readFile(path, 'utf8');
}

/** A pattern as `ruleFor` looks for it. */
function checkPattern(pattern: string): string {
  if (!pattern.endsWith('/*')) return repositoryOf(pattern);
  const prefix = pattern.slice(0, -2);
  // A host alone is no repository; and of docker.io what has one name only is in `library/`.
  return `${repositoryOf(`${prefix}/x/x`).slice(0, -4)}/*`;
}

/** Whole, with its registry. */
function repositoryOf(text: string): string {
  const reference = parseReference(text);
  if (reference.tag !== undefined || reference.digest !== undefined)
    throw new Error(`${JSON.stringify(text)} is no repository: leave out tag and digest`);
  return repositoryName(reference);
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new Error(`${what} must be an object`);
}

function refuseUnknown(others: object, what: string): void {
  const [first] = Object.keys(others);
  if (first !== undefined) throw new Error(`${what} has an unknown key ${JSON.stringify(first)}`);
}
