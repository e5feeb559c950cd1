import { afterAll, beforeAll, expect, test } from 'bun:test';
import { FakeDaemon, runCli } from '../../../../test/support/cli/fake-daemon.ts';
import type { DistributionManifest } from '../../../wire/distribution.ts';

// Expected: what the stock client 28.5 prints of these manifests, which it gets from the registry itself.
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const MANIFEST =
  '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","big":12345678901234567890}';

function image(ref: string, letter: string, architecture: string): DistributionManifest {
  return {
    Ref: ref,
    Descriptor: {
      mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
      digest: digest(letter),
      size: 527,
      platform: { architecture, os: 'linux' },
    },
    Raw: Buffer.from(MANIFEST).toString('base64'),
  };
}

const INDEX: DistributionManifest = {
  Ref: 'host:5731/list:1',
  Descriptor: { mediaType: 'application/vnd.oci.image.index.v1+json', digest: digest('f'), size: 511 },
  Raw: Buffer.from('{}').toString('base64'),
  Manifests: [
    image(`host:5731/list:1@${digest('a')}`, 'a', 'amd64'),
    image(`host:5731/list:1@${digest('b')}`, 'b', 'arm64'),
  ],
};

const daemon = new FakeDaemon(
  {
    'GET /distribution/host:5731/app:1/manifest': { body: image('host:5731/app:1', 'a', 'amd64') },
    'GET /distribution/host:5731/list:1/manifest': { body: INDEX },
    'GET /distribution/host:5731/none:1/manifest': { status: 404, body: { message: 'manifest unknown' } },
  },
  { server: 'Sampan/0.1.0 (linux)' },
);
beforeAll(() => daemon.listen());
afterAll(() => daemon.close());
const run = (...argv: string[]) => runCli(daemon, ['manifest', 'inspect', ...argv]);

test('a manifest is shown token by token', async () => {
  expect((await run('host:5731/app:1')).out).toBe(
    '{\n\t"schemaVersion": 2,\n\t"mediaType": "application/vnd.docker.distribution.manifest.v2+json",\n\t"big": 12345678901234567890\n}\n',
  );
  expect((await run('-v', '--insecure', 'host:5731/app:1')).out).toBe(
    `{
	"Ref": "host:5731/app:1",
	"Descriptor": {
		"mediaType": "application/vnd.docker.distribution.manifest.v2+json",
		"digest": "${digest('a')}",
		"size": 527,
		"platform": {
			"architecture": "amd64",
			"os": "linux"
		}
	},
	"Raw": "${Buffer.from(MANIFEST).toString('base64')}",
	"SchemaV2Manifest": {
		"schemaVersion": 2,
		"mediaType": "application/vnd.docker.distribution.manifest.v2+json",
		"big": 12345678901234567890
	}
}
`,
  );
  expect(daemon.taken()).toEqual([
    'GET /distribution/host:5731/app:1/manifest',
    'GET /distribution/host:5731/app:1/manifest?tlsVerify=0',
  ]);
});

test("an index is shown in the form of Docker's list", async () => {
  expect((await run('host:5731/list:1')).out).toBe(
    `{
   "schemaVersion": 2,
   "mediaType": "application/vnd.oci.image.index.v1+json",
   "manifests": [
      {
         "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "size": 527,
         "digest": "${digest('a')}",
         "platform": {
            "architecture": "amd64",
            "os": "linux"
         }
      },
      {
         "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
         "size": 527,
         "digest": "${digest('b')}",
         "platform": {
            "architecture": "arm64",
            "os": "linux"
         }
      }
   ]
}
`,
  );
  const { out } = await run('-v', 'host:5731/list:1');
  expect(out).toStartWith(`[\n\t{\n\t\t"Ref": "host:5731/list:1@${digest('a')}",\n\t\t"Descriptor": {`);
  expect(out).toEndWith('\t\t}\n\t}\n]\n');
});

test.each([
  [['host:5731/none:1'], 'no such manifest: host:5731/none:1\n'],
  [['a', 'b'], 'No such manifest: docker.io/library/b:latest\n'],
  [['UPPER'], 'invalid reference format: repository name (library/UPPER) must be lowercase\n'],
])('%p is refused in words of Docker', async (argv, err) => {
  expect(await run(...argv)).toMatchObject({ status: 1, err });
});

test('another daemon is told from ours', async () => {
  const docker = new FakeDaemon({});
  await docker.listen();
  try {
    expect(await runCli(docker, ['manifest', 'inspect', 'x'])).toMatchObject({
      status: 1,
      err:
        `Cannot show manifests: the daemon at ${docker.host} can't do that (it is Docker/28.5.2)\n` +
        "Only Sampan's own daemon can: name it with -H or DOCKER_HOST.\n",
    });
    expect(docker.taken()).toEqual([]);
  } finally {
    docker.close();
  }
});
