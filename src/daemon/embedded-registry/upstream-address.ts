import { EngineError } from '../../errors/engine-error.ts';
import { DEFAULT_DOMAIN, isRepositoryPath } from '../../oci/reference.ts';
import type { UpstreamAddress } from './start-registry.ts';

/** The names that Docker's hub goes by. */
const HUB = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io']);

/**
 * Read the address of an upstream: `https://registry.example.com`, `http://127.0.0.1:5000/team`, `docker.io`. A path stands in front of the names there.
 *
 * @throws EngineError "invalid"
 */
export function parseUpstream(text: string): UpstreamAddress {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`);
  const problem = (reason: string) =>
    new EngineError('invalid', `invalid upstream registry ${JSON.stringify(redacted(text))}: ${reason}`);
  if (url === null || !/^https?:$/.test(url.protocol)) throw problem('expected an http or https URL');
  if (url.username !== '' || url.password !== '')
    throw problem('credentials belong into a file of their own');
  if (url.search !== '' || url.hash !== '') throw problem('query or fragment');
  const path = url.pathname.replace(/^\/+|\/+$/g, '').replace(/^v2$/, '');
  if (path !== '' && !isRepositoryPath(path))
    throw problem(`${JSON.stringify(path)} begins no repository's name`);
  const domain = HUB.has(url.host) ? DEFAULT_DOMAIN : url.host;
  return { domain, prefix: path === '' ? '' : `${path}/`, insecure: url.protocol === 'http:' };
}

function redacted(text: string): string {
  return text.replace(/\/\/[^/@]*@/, '//***@');
}
