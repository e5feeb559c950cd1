import { EngineError } from '../errors/engine-error.ts';

/** An image's name in its parts, as the user wrote it and as the registry knows it. */
export interface ImageName {
  /** Short where the hub's own: `busybox:latest`. */
  familiar: string;
  /** Whole repository, `docker.io/library/busybox`. */
  repository: string;
  /** Short repository, `busybox`. */
  familiarRepository: string;
  /** Undefined when none was written. */
  tag: string | undefined;
  digest: string | undefined;
  /** The registry's host. */
  domain: string;
}

const PATH = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const DOMAIN =
  /^(?:\[[0-9a-fA-F:]+\]|(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*)(?::\d+)?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}$/;
const HUB = 'docker.io';

/**
 * Read an image's name.
 *
 * @throws EngineError "invalid" in Docker's words.
 */
export function readImageName(text: string): ImageName {
  if (/^[a-f0-9]{64}$/.test(text))
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const tagged = at < 0 ? text : text.slice(0, at);
  const { domain, rest } = splitDomain(tagged);
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path.toLowerCase() !== path)
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`);
  if (!PATH.test(path) || !DOMAIN.test(domain) || (tag !== undefined && !TAG.test(tag)))
    throw invalid('invalid reference format');
  if (digest !== undefined && !DIGEST.test(digest)) throw invalid('invalid reference format');
  const familiarRepository = domain === HUB ? path.replace(/^library\/(?=[^/]+$)/, '') : `${domain}/${path}`;
  const suffix =
    digest === undefined ? `:${tag ?? 'latest'}` : `${tag === undefined ? '' : `:${tag}`}@${digest}`;
  return {
    familiar: familiarRepository + suffix,
    repository: `${domain}/${path}`,
    familiarRepository,
    tag,
    digest,
    domain,
  };
}

function splitDomain(name: string): { domain: string; rest: string } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const isDomain =
    slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  const domain = isDomain ? first : HUB;
  const rest = isDomain ? name.slice(slash + 1) : name;
  if (domain === 'index.docker.io')
    return { domain: HUB, rest: rest.includes('/') ? rest : `library/${rest}` };
  return { domain, rest: domain === HUB && !rest.includes('/') ? `library/${rest}` : rest };
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', message);
}
