import { expect, test } from 'bun:test';
import { EngineError } from '../../errors/engine-error.ts';
import { resolveLinks } from './container-link.ts';

const NETWORKS: Record<string, string> = { plain: 'bridge', host: 'host', guest: 'container:plain' };

const linksOf = (links: string[], networkMode: string) =>
  resolveLinks(
    { links, networkMode },
    {
      resolve: (id) => {
        const mode = NETWORKS[id];
        if (mode === undefined) throw new EngineError('not-found', `No such container: ${id}`);
        return { id, record: { host: { networkMode: mode } } };
      },
    },
  );

// As seen on Docker 28.5.
test('a link to nobody is refused, and means nothing on a network of a user', () => {
  for (const mode of ['', 'bridge', 'none'])
    expect(() => linksOf(['nosuch:b'], mode), mode).toThrow(
      'could not get container for nosuch: No such container: nosuch',
    );
  expect(linksOf(['plain:a', 'nosuch:b'], 'own')).toEqual([{ id: 'plain', alias: 'a' }]);
});

test("nobody is linked to a container on the host's network", () => {
  expect(() => linksOf(['host:a'], 'bridge')).toThrow(
    "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
  );
});

test("a link to a container in another's network is one to that other", () => {
  expect(linksOf(['guest:a'], 'bridge')).toEqual([{ id: 'plain', alias: 'a' }]);
});
