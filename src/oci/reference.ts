import { EngineError } from '../errors/engine-error.ts';
import { DIGEST_ALGORITHMS, type Digest, isDigest } from './digest.ts';

/** A parsed image name. `docker.io/library/busybox:latest` for `busybox`. */
export interface Reference {
  /** Registry host, `docker.io` by default, with port where given. */
  domain: string;
  /** Repository path below the domain, `library/busybox`. */
  path: string;
  tag: string | undefined;
  digest: Digest | undefined;
}

/** The pieces of a reference as they were written: nothing normalised, digest unchecked. */
export interface ReferenceParts {
  name: string;
  tag: string | undefined;
  digest: string | undefined;
}

export const DEFAULT_DOMAIN = 'docker.io';
export const DEFAULT_TAG = 'latest';
const LEGACY_DOMAIN = 'index.docker.io';
const OFFICIAL_PREFIX = 'library/';
const MAX_PATH_LENGTH = 255;
/** Longest text that is looked at: a path, a tag, a digest and any host name fit many times over. */
const MAX_TEXT_LENGTH = 4096;

// The grammar of the distribution project's reference package (its BNF heads the package's documentation).
const LABEL = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const DOMAIN = `(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const COMPONENT = '[a-z0-9]+(?:(?:\\.|__|_|-+)[a-z0-9]+)*';
const PATH = `${COMPONENT}(?:/${COMPONENT})*`;
const TAG = '[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}';
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';

const NAME_PATTERN = new RegExp(`^(?:(${DOMAIN})/)?(${PATH})$`);
const REFERENCE_PATTERN = new RegExp(`^((?:${DOMAIN}/)?${PATH})(?::(${TAG}))?(?:@(${DIGEST}))?$`);
const DOMAIN_PATTERN = new RegExp(`^${DOMAIN}$`);
const PATH_PATTERN = new RegExp(`^${PATH}$`);
const TAG_PATTERN = new RegExp(`^${TAG}$`);
const IDENTIFIER_PATTERN = /^[a-f0-9]{64}$/;

/**
 * Read an image name as users write it (`busybox`, `user/app:1`, `host:5000/app@sha256:…`) and make it whole:
 * default domain and `library/` are filled in, no tag is added.
 *
 * @throws EngineError "invalid", in Docker's words.
 */
export function parseReference(text: string): Reference {
  if (text.length > MAX_TEXT_LENGTH) throw nameTooLong();
  if (isIdentifier(text))
    throw new EngineError(
      'invalid',
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
    );
  const { domain, remainder } = splitDomain(text);
  refuseUppercase(remainder);
  const parts = splitReference(`${domain}/${remainder}`);
  if (parts === undefined) throw invalidFormat();
  const path = parts.name.slice(domain.length + 1);
  if (!DOMAIN_PATTERN.test(domain) || !PATH_PATTERN.test(path)) throw invalidFormat();
  if (path.length > MAX_PATH_LENGTH) throw nameTooLong();
  return { domain, path, tag: parts.tag, digest: checkDigest(parts.digest) };
}

/** A digest (`sha256:…`, or its 64 hex digits alone) or an image name: what commands take where an ID will do. */
export function parseAnyReference(text: string): Reference | Digest {
  const digest = isIdentifier(text) ? `sha256:${text}` : text;
  return isDigest(digest) ? digest : parseReference(text);
}

/** Apart at the grammar's joints, or undefined where `text` isn't in the grammar. The default domain is not filled in. */
export function splitReference(text: string): ReferenceParts | undefined {
  const match = text.length > MAX_TEXT_LENGTH ? null : REFERENCE_PATTERN.exec(text);
  if (match?.[1] === undefined) return undefined;
  return { name: match[1], tag: match[2], digest: match[3] };
}

/** Domain and path of a bare name (no tag, no digest), or undefined where it isn't in the grammar. */
export function splitName(name: string): { domain: string | undefined; path: string } | undefined {
  const match = name.length > MAX_TEXT_LENGTH ? null : NAME_PATTERN.exec(name);
  if (match?.[2] === undefined) return undefined;
  return { domain: match[1], path: match[2] };
}

/** The same image, by `latest` where neither tag nor digest was given. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: DEFAULT_TAG };
}

/** @throws EngineError "invalid" unless `tag` is in the grammar. */
export function withTag(reference: Reference, tag: string): Reference {
  if (!isTag(tag)) throw new EngineError('invalid', 'invalid tag format');
  return { ...reference, tag };
}

export function withDigest(reference: Reference, digest: Digest): Reference {
  return { ...reference, digest };
}

/** Whole and as short as Docker shows it: `busybox:latest`, `user/app@sha256:…`. */
export function familiarName(reference: Reference): string {
  return familiarRepository(reference) + suffixOf(reference);
}

/** `busybox` for docker.io/library/busybox. */
export function familiarRepository({ domain, path }: Reference): string {
  if (domain !== DEFAULT_DOMAIN) return `${domain}/${path}`;
  const short = path.startsWith(OFFICIAL_PREFIX) ? path.slice(OFFICIAL_PREFIX.length) : path;
  return short.includes('/') ? path : short;
}

/** `docker.io/library/busybox:latest`. `parseReference` of it gives the same reference. */
export function canonicalName(reference: Reference): string {
  return repositoryName(reference) + suffixOf(reference);
}

/** `docker.io/library/busybox`. */
export function repositoryName({ domain, path }: Reference): string {
  return `${domain}/${path}`;
}

export function isTag(text: string): boolean {
  return TAG_PATTERN.test(text);
}

/** Whether `text` may stand in `/v2/<path>/`: the grammar and the length. */
export function isRepositoryPath(text: string): boolean {
  return text.length <= MAX_PATH_LENGTH && PATH_PATTERN.test(text);
}

/** A host with or without port, as in front of an image name. */
export function isDomain(text: string): boolean {
  return text.length <= MAX_TEXT_LENGTH && DOMAIN_PATTERN.test(text);
}

/** 64 lower-case hex digits: an image's ID, which no repository may be named as. */
export function isIdentifier(text: string): boolean {
  return IDENTIFIER_PATTERN.test(text);
}

/** What stands before the first `/` is a host if it has a dot, a port or capitals, or is `localhost`. */
function splitDomain(text: string): { domain: string; remainder: string } {
  const slash = text.indexOf('/');
  const head = slash < 0 ? '' : text.slice(0, slash);
  const isHost = /[.:]/.test(head) || head === 'localhost' || head.toLowerCase() !== head;
  const domain = !isHost || head === LEGACY_DOMAIN ? DEFAULT_DOMAIN : head;
  const remainder = isHost ? text.slice(slash + 1) : text;
  const official = domain === DEFAULT_DOMAIN && remainder !== '' && !remainder.includes('/');
  return { domain, remainder: official ? OFFICIAL_PREFIX + remainder : remainder };
}

function refuseUppercase(remainder: string): void {
  const name = remainder.split(':', 1)[0] ?? '';
  if (name.toLowerCase() === name) return;
  throw new EngineError('invalid', `invalid reference format: repository name (${name}) must be lowercase`);
}

function checkDigest(text: string | undefined): Digest | undefined {
  if (text === undefined || isDigest(text)) return text;
  const [algorithm = '', hex = ''] = text.split(':');
  if (!DIGEST_ALGORITHMS.some((one) => one === algorithm))
    throw new EngineError('invalid', 'unsupported digest algorithm');
  const isLong = isDigest(`${algorithm}:${'0'.repeat(hex.length)}`);
  throw new EngineError('invalid', `invalid checksum digest ${isLong ? 'format' : 'length'}`);
}

function suffixOf({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
}

function invalidFormat(): EngineError {
  return new EngineError('invalid', 'invalid reference format');
}

function nameTooLong(): EngineError {
  return new EngineError('invalid', `repository name must not be more than ${MAX_PATH_LENGTH} characters`);
}
