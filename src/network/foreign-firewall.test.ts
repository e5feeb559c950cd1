import { expect, test } from 'bun:test';
import {
  acceptCommands,
  findForeignDrops,
  type NftChain,
  parseChains,
  parseRules,
  removalCommands,
} from './foreign-firewall.ts';

const chain = (name: string, more: Partial<NftChain> = {}): NftChain => ({
  family: 'ip',
  table: 'filter',
  name,
  hook: undefined,
  policy: undefined,
  ...more,
});
const dropping = { hook: 'forward', policy: 'drop' };
const b0 = { bridgeNames: ['b0'], ipv6: false };
const docker = { family: 'ip', table: 'filter', chain: 'DOCKER-USER' } as const;

test('Docker’s and ufw’s hooks are found, Docker’s first', () => {
  const ufw = [chain('FORWARD', dropping), chain('ufw-user-forward')];
  expect(findForeignDrops(ufw, b0).hooks[0]?.chain).toBe('ufw-user-forward');
  expect(findForeignDrops([...ufw, chain('DOCKER-USER')], b0)).toEqual({ hooks: [docker], warnings: [] });
});

test('who drops nothing is left alone', () => {
  const chains = [chain('FORWARD', { hook: 'forward', policy: 'accept' }), chain('DOCKER-USER')];
  expect(findForeignDrops(chains, b0)).toEqual({ hooks: [], warnings: [] });
  const input = [chain('INPUT', { hook: 'input', policy: 'drop' })];
  expect(findForeignDrops(input, b0)).toEqual({ hooks: [], warnings: [] });
});

test('IPv6 has hooks of its own, which are used where there is any', () => {
  const chains = [chain('FORWARD', { family: 'ip6', ...dropping }), chain('DOCKER-USER', { family: 'ip6' })];
  expect(findForeignDrops(chains, b0).hooks).toEqual([]);
  expect(findForeignDrops(chains, { ...b0, ipv6: true }).hooks).toEqual([{ ...docker, family: 'ip6' }]);
});

test('a drop beyond the hook is warned of, and firewalld', () => {
  const { hooks, warnings } = findForeignDrops(
    [
      chain('FORWARD', dropping),
      chain('DOCKER-USER'),
      chain('fwd', { family: 'inet', table: 'mine', ...dropping }),
      chain('filter_FORWARD', {
        family: 'inet',
        table: 'firewalld',
        hook: 'forward',
        policy: 'accept',
      }),
    ],
    b0,
  );
  expect(hooks).toEqual([docker]);
  expect(warnings.map((warning) => /"inet mine fwd"|firewalld/.exec(warning)?.[0])).toEqual([
    '"inet mine fwd"',
    'firewalld',
  ]);
});

// As nft 1.0.6 prints them.
const listing = (...rules: object[]) =>
  JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6' } }, ...rules.map((rule) => ({ rule }))] });
const adminRule = {
  handle: 4,
  expr: [
    { match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'x' } },
    { counter: {} },
    { drop: null },
  ],
};
const finalReturn = { handle: 9, expr: [{ counter: { packets: 0, bytes: 0 } }, { return: null }] };

test('our accepts stand behind the administrator’s rules, but before a final return', () => {
  const accept = { bridgeName: 'b0', mark: 'm' };
  expect(acceptCommands(docker, parseRules(listing(adminRule)), accept)).toEqual([
    'add rule ip filter DOCKER-USER iifname "b0" counter accept comment "m"',
    'add rule ip filter DOCKER-USER oifname "b0" counter accept comment "m"',
  ]);
  expect(acceptCommands(docker, parseRules(listing(adminRule, finalReturn)), accept)[0]).toBe(
    'insert rule ip filter DOCKER-USER position 9 iifname "b0" counter accept comment "m"',
  );
});

test('only rules of our mark are removed', () => {
  const rules = parseRules(
    listing(adminRule, { handle: 5, comment: 'm', expr: [] }, { handle: 6, comment: 'n' }),
  );
  expect(removalCommands(docker, rules, 'm')).toEqual(['delete rule ip filter DOCKER-USER handle 5']);
});

test('chains are read from nft’s JSON', () => {
  const json = JSON.stringify({
    nftables: [
      { metainfo: {} },
      { chain: { family: 'ip', table: 'filter', name: 'FORWARD', handle: 7, ...dropping, prio: 0 } },
      { chain: { family: 'ip', table: 'filter', name: 'DOCKER-USER', handle: 12 } },
    ],
  });
  expect(parseChains(json)).toEqual([chain('FORWARD', dropping), chain('DOCKER-USER')]);
  expect(parseChains('[]')).toEqual([]);
});
