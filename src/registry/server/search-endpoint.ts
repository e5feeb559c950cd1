import type { RegistryCall } from './call.ts';

const DEFAULT_RESULTS = 25;
const MAX_RESULTS = 100;
const DESCRIPTION = 'org.opencontainers.image.description';
/** Of which repositories the description is looked up: reading manifests costs. */
const TAG_WITH_DESCRIPTION = 'latest';

/**
 * `/v1/search`, as `docker search <this registry>/<term>` asks it. Names that hold every word of the term; the whole name first, then those that
 * begin with it, then in order.
 */
export async function searchEndpoint({ backend, url }: RegistryCall): Promise<Response> {
  const query = (url.searchParams.get('q') ?? '').slice(0, 256);
  const limit = between(
    url.searchParams.get('n') ?? url.searchParams.get('page_size'),
    DEFAULT_RESULTS,
    MAX_RESULTS,
  );
  const page = between(url.searchParams.get('page'), 1, 1_000_000);
  const words = query
    .toLowerCase()
    .split(/[\s*]+/)
    .filter(Boolean);
  const found = (await backend.repositories())
    .map((repository) => ({ repository, name: repository.replace(/^library\//, '') }))
    .filter(({ name }) => words.every((word) => name.includes(word)))
    .toSorted((a, b) => rank(a.name, query) - rank(b.name, query) || (a.name < b.name ? -1 : 1));
  const shown = found.slice((page - 1) * limit, page * limit);
  const results = await Promise.all(
    shown.map(async ({ repository, name }) => ({
      name,
      description: await descriptionOf(backend, repository),
      star_count: 0,
      is_official: repository !== name,
      is_automated: false,
      is_trusted: false,
    })),
  );
  return Response.json({
    num_pages: Math.ceil(found.length / limit),
    num_results: found.length,
    results,
    page_size: limit,
    query,
    page,
  });
}

/** `/v1/_ping`: that this registry is complete in itself. */
export function searchPing(): Response {
  return Response.json({ standalone: true }, { headers: { 'x-docker-registry-standalone': 'true' } });
}

async function descriptionOf(backend: RegistryCall['backend'], repository: string): Promise<string> {
  const tags = (await backend.tags(repository)) ?? [];
  if (!tags.includes(TAG_WITH_DESCRIPTION)) return '';
  const found = await backend.manifest(repository, TAG_WITH_DESCRIPTION);
  return found?.descriptor.annotations?.[DESCRIPTION]?.slice(0, 200) ?? '';
}

function rank(name: string, query: string): number {
  if (name === query) return 0;
  return name.startsWith(query) ? 1 : 2;
}

function between(text: string | null, fallback: number, max: number): number {
  if (text === null || !/^\d{1,9}$/.test(text) || Number(text) < 1) return fallback;
  return Math.min(Number(text), max);
}
