import { afterAll, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import type { IdMap } from './id-map.ts';
import { descriptorPath, visitChild } from './namespace-child.ts';
import { NamespaceVisitor } from './netns.ts';
import { UserNamespaces } from './user-namespaces.ts';

const map: IdMap = {
  uids: [
    { containerId: 0, hostId: 200_000, size: 10 },
    { containerId: 10, hostId: 300_000, size: 65_526 },
  ],
  gids: [{ containerId: 0, hostId: 400_000, size: 65_536 }],
};
const namespaces = new UserNamespaces();
afterAll(() => namespaces.close());

const within = (script: string, ...more: string[]): string => {
  const user = `--user=${descriptorPath(namespaces.of(map))}`;
  const { stdout, stderr } = Bun.spawnSync(['nsenter', user, ...more, 'sh', '-ec', script]);
  return stdout.toString() + stderr.toString();
};

test('a user namespace has the ranges of its map, and is made once', () => {
  expect(within("tr -s ' ' < /proc/self/uid_map; tr -s ' ' < /proc/self/gid_map; id -u")).toBe(
    ' 0 200000 10\n 10 300000 65526\n 0 400000 65536\n0\n',
  );
  expect(namespaces.of(structuredClone(map))).toBe(namespaces.of(map));
});

test('its root has power over a network namespace that belongs to it, and none over another', () => {
  const visitor = new NamespaceVisitor({ soleThread: true });
  const own = visitor.createOwned(namespaces.of(map), () => undefined);
  const other = visitor.create(() => undefined);
  expect(within('ip link set lo up && echo up', `--net=${descriptorPath(own)}`)).toBe('up\n');
  expect(within('ip link set lo up && echo up', `--net=${descriptorPath(other)}`)).not.toContain('up\n');
  visitor.close();
});

test('visitChild() leaves no descriptor open, and tells the words of a program that fails', async () => {
  const before = readdirSync('/proc/self/fd').length;
  expect(visitChild(['unshare', '--uts'], (pid) => pid)).toBeGreaterThan(0);
  expect(() => visitChild(['unshare', '--no-such-option'], () => undefined)).toThrow('no-such-option');
  expect(() => visitChild(['false'], () => undefined)).toThrow('false ended early');
  // The children's own descriptors go with the news of their end.
  while (readdirSync('/proc/self/fd').length > before) await Bun.sleep(5);
  expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
});
