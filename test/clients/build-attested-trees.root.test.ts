import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../support/engine/command.ts';
import { BuildFixture } from './build/build-fixture.ts';
import { BUILDERS, builderOf } from './build/builders.ts';

let fixture: BuildFixture;
let folder: string;
beforeAll(async () => {
  fixture = await BuildFixture.start();
  folder = fixture.project({
    Dockerfile: 'FROM scratch\nCOPY f /d/f\nCOPY f /g\nCOPY --chmod=755 f /d/h\n',
    f: 'hi\n',
  });
}, 300_000);
afterAll(async () => {
  await fixture?.close();
}, 300_000);

interface Statement {
  _type: string;
  predicateType: string;
  subject: { name: string; digest: Record<string, string> }[];
  predicate: Record<string, unknown>;
}

const statementAt = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Statement;
const sha256 = '98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4';
const subject = ['d/f', 'd/h', 'g'].map((name) => ({ name, digest: { sha256 } }));

async function filesIn(path: string): Promise<string[]> {
  const found = await must(['find', '.', '-type', 'f', '-printf', '%P\n'], { cwd: path });
  return found.trim().split('\n').sort();
}

// Files, modes and subjects as Docker 28.5.2 writes them with its image store.
describe.each(BUILDERS)('what is said of a tree of files: %s', (name) => {
  const build = builderOf(() => fixture, name);
  const out = async (...args: string[]): Promise<string> => {
    const path = fixture.output();
    const [output = '', ...more] = args;
    const built = await build(['-o', output.replace('OUT', path), ...more, folder]);
    expect(built, built.stderr).toMatchObject({ code: 0 });
    return path;
  };

  test('lies beside the files', async () => {
    const path = await out('type=local,dest=OUT', '--provenance', 'mode=max,version=v0.2', '--sbom', 'true');
    expect(await filesIn(path)).toEqual(['d/f', 'd/h', 'g', 'provenance.json', 'sbom.spdx.json']);
    const provenance = statementAt(join(path, 'provenance.json'));
    expect(provenance).toMatchObject({
      _type: 'https://in-toto.io/Statement/v0.1',
      predicateType: 'https://slsa.dev/provenance/v0.2',
      subject,
      predicate: { buildType: 'https://mobyproject.org/buildkit@v1' },
    });
    expect(statSync(join(path, 'provenance.json')).mode & 0o777).toBe(0o600);
    const sbom = statementAt(join(path, 'sbom.spdx.json'));
    expect(sbom).toMatchObject({ predicateType: 'https://spdx.dev/Document', subject });
  }, 120_000);

  test('of each platform in its folder, with a prefix; unsplit under its name', async () => {
    const two = ['--provenance', 'mode=min', '--platform', 'linux/amd64,linux/arm64'];
    const split = await out('type=local,dest=OUT,attestation-prefix=pre-', ...two);
    expect(await filesIn(split)).toEqual(
      ['amd64', 'arm64'].flatMap((one) =>
        ['d/f', 'd/h', 'g', 'pre-provenance.json'].map((file) => `linux_${one}/${file}`),
      ),
    );
    expect(statementAt(join(split, 'linux_arm64/pre-provenance.json')).subject).toEqual(subject);
    const whole = await out('type=local,dest=OUT,platform-split=false', ...two);
    expect((await filesIn(whole)).filter((file) => file.endsWith('.json'))).toEqual([
      'provenance.linux_amd64.json',
      'provenance.linux_arm64.json',
    ]);
  }, 120_000);

  test('is in a tar too, and nowhere when nobody asked', async () => {
    const path = await out('type=tar,dest=OUT', '--provenance', 'mode=min');
    const listed = await must(['tar', '-tvf', path]);
    expect(listed).toMatch(/^-rw------- 0\/0 .* provenance\.json$/m);
    expect(await filesIn(await out('type=local,dest=OUT'))).toEqual(['d/f', 'd/h', 'g']);
  }, 120_000);
});
