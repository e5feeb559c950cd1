import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../../../test/support/failure-of.ts';
import type { BuildClient } from '../../../client/build-client.ts';
import { digestOf } from '../../../oci/digest.ts';
import type { CliContext } from '../../context.ts';
import { ClientLayouts } from './client-layouts.ts';

const { signal } = new AbortController();
const text = new TextEncoder();
let cwd: string;
let said: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'layouts-'));
  said = '';
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

function open(): ClientLayouts {
  const stderr = { write: async (part: string) => void (said += part) };
  return new ClientLayouts({ cwd, stderr } as unknown as CliContext);
}

/** A daemon that gives these bytes, and notes what it is given. */
function daemon(gives = '') {
  const calls: string[] = [];
  const builds = {
    takeBlob: async (token: string) => {
      calls.push(`take ${token}`);
      return (async function* () {
        yield text.encode(gives);
      })();
    },
    giveBlob: async (token: string, data: AsyncIterable<Uint8Array>) => {
      let all = '';
      for await (const piece of data) all += new TextDecoder().decode(piece);
      calls.push(`give ${token} ${all}`);
    },
    declineBlob: async (token: string) => void calls.push(`decline ${token}`),
  };
  return { calls, builds: builds as unknown as BuildClient };
}

const digest = digestOf(text.encode('some bytes')) as string;
const place = `out/blobs/sha256/${digest.slice(7)}`;

describe('a cache that is written', () => {
  test('takes each blob once, verified, and the index names it by its tag', async () => {
    const layouts = open();
    layouts.cacheTo([{ type: 'local', attributes: { dest: 'out', tag: 'mine' } }]);
    const { calls, builds } = daemon('some bytes');
    const call = { store: 'local:out', digest, size: 10 };
    await layouts.answer({ token: '1', ...call }, builds, signal);
    await layouts.answer({ token: '2', ...call }, builds, signal);
    expect(calls).toEqual(['take 1', 'decline 2']);
    expect(readFileSync(join(cwd, place), 'utf8')).toBe('some bytes');
    const descriptor = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 10 };
    for (const times of [1, 2]) {
      await layouts.finish({ 'cache.manifest': JSON.stringify(descriptor) });
      const { manifests } = JSON.parse(readFileSync(join(cwd, 'out/index.json'), 'utf8'));
      const annotations = { 'org.opencontainers.image.ref.name': 'mine' };
      expect([times, manifests]).toEqual([times, [{ ...descriptor, annotations }]]);
    }
  });

  test('other bytes than the digest’s leave nothing', async () => {
    const layouts = open();
    layouts.cacheTo([{ type: 'local', attributes: { dest: 'out' } }]);
    for (const bytes of ['more than some bytes', 'same size!', '']) {
      const call = { token: '1', store: 'local:out', digest, size: 10 };
      expect(String(await failureOf(layouts.answer(call, daemon(bytes).builds, signal)))).toContain(
        'came damaged',
      );
    }
    expect(readdirSync(join(cwd, 'out/blobs/sha256'))).toEqual([]);
  });

  test('a cache that went elsewhere is in no index here', async () => {
    const layouts = open();
    layouts.cacheTo([{ type: 'local', attributes: { dest: 'out' } }]);
    await layouts.finish({ 'cache.manifest': JSON.stringify({ mediaType: 'a/b', digest, size: 10 }) });
    expect(existsSync(join(cwd, 'out'))).toBe(false);
  });
});

describe('a daemon that asks for too much', () => {
  test.each([
    { store: 'local:/etc', digest },
    { store: 'oci:layout0', digest },
    { store: 'local:in', digest: 'sha256:../../../etc/passwd' },
    { store: 'local:in', digest: '../../etc/passwd' },
    { store: 'local:in', digest, size: 10 },
    { store: 'local:out', digest },
    { store: 'local:out', digest: '../x', size: 1 },
  ])('%j gets and leaves nothing', async (call) => {
    writeFileSync(join(cwd, 'kept'), 'kept');
    const layouts = open();
    layouts.cacheTo([{ type: 'local', attributes: { dest: 'out' } }]);
    await layouts.cacheFrom([{ type: 'local', attributes: { src: 'in', digest } }]);
    const { calls, builds } = daemon('x');
    const failure = await failureOf(layouts.answer({ token: '1', ...call }, builds, signal));
    expect(String(failure)).toMatch(/unknown layout|invalid digest/);
    expect(calls).toEqual([]);
    expect(readdirSync(cwd)).toEqual(['kept']);
  });
});

test('a cache that is not there, or not under that tag, is told of and left out', async () => {
  writeFileSync(join(cwd, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [] }));
  const layouts = open();
  const registry = { type: 'registry', attributes: { ref: 'r/x' } };
  const found = await layouts.cacheFrom([
    { type: 'local', attributes: { src: 'none' } },
    registry,
    { type: 'local', attributes: { src: '.', tag: 'v1' } },
  ]);
  expect(found).toEqual([registry]);
  expect(said).toContain('local cache import at none not found due to err: could not read');
  expect(said).toContain('local cache import at . not found due to err: no digest found for tag v1');
});

test('a cache without a directory is refused in BuildKit’s words', async () => {
  expect(() => open().cacheTo([{ type: 'local', attributes: {} }])).toThrow(
    'local cache exporter requires dest',
  );
  const failure = await failureOf(open().cacheFrom([{ type: 'local', attributes: {} }]));
  expect(String(failure)).toContain('local cache importer requires src');
});
