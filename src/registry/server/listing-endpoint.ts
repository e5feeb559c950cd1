import type { Digest } from '../../oci/digest.ts';
import type { RegistryCall } from './call.ts';
import { RegistryRefusal } from './refusal.ts';

const MAX_PAGE = 10_000;

/** `/v2/<name>/tags/list`. */
export async function tagsEndpoint(call: RegistryCall, repository: string): Promise<Response> {
  const tags = await call.backend.tags(repository);
  if (tags === undefined)
    throw new RegistryRefusal(404, 'NAME_UNKNOWN', 'repository name not known to registry', {
      detail: { name: repository },
    });
  const page = pageOf(tags, call);
  return Response.json({ name: repository, tags: page.entries }, { headers: page.headers });
}

/** `/v2/_catalog`. */
export async function catalogEndpoint(call: RegistryCall): Promise<Response> {
  const page = pageOf(await call.backend.repositories(), call);
  return Response.json({ repositories: page.entries }, { headers: page.headers });
}

/** `/v2/<name>/referrers/<digest>`: an index, empty where nothing refers to it. */
export async function referrersEndpoint(
  { backend, url }: RegistryCall,
  target: { repository: string; digest: Digest },
): Promise<Response> {
  const wanted = url.searchParams.get('artifactType');
  const all = await backend.referrers(target.repository, target.digest);
  const manifests = wanted === null ? all : all.filter(({ artifactType }) => artifactType === wanted);
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  return new Response(JSON.stringify({ schemaVersion: 2, mediaType, manifests }), {
    headers: {
      'content-type': mediaType,
      ...(wanted === null ? {} : { 'oci-filters-applied': 'artifactType' }),
    },
  });
}

/** In lexical order, `n` at most, those after `last`; the next page is in the Link header. */
function pageOf(
  all: string[],
  { url, locate }: RegistryCall,
): { entries: string[]; headers: Record<string, string> } {
  const asked = url.searchParams.get('n');
  if (asked !== null && !/^\d{1,9}$/.test(asked))
    throw new RegistryRefusal(400, 'PAGINATION_NUMBER_INVALID', 'invalid number of results requested', {
      detail: { n: asked.slice(0, 100) },
    });
  const limit = Math.min(asked === null ? MAX_PAGE : Number(asked), MAX_PAGE);
  const last = url.searchParams.get('last') ?? '';
  const rest = all.filter((entry) => entry > last).toSorted((a, b) => (a < b ? -1 : 1));
  const entries = rest.slice(0, limit);
  const end = entries.at(-1);
  if (end === undefined || rest.length <= limit) return { entries, headers: {} };
  const next = `${url.pathname}?${new URLSearchParams({ last: end, n: String(limit) }).toString()}`;
  return { entries, headers: { link: `<${locate(next)}>; rel="next"` } };
}
