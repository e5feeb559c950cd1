import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer as createPlainServer, type RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../errors/engine-error.ts';
import { parseReference } from '../oci/reference.ts';
import { DistributionClient } from './client/distribution-client.ts';
import type { RegistryConfig, RegistryRequest } from './client/registry-client.ts';
import { plainConfig } from './testing/contract.ts';
import { freePort } from './testing/running-registry.ts';

// Loopback is never verified, so this needs another address of the host's.
const address = Object.values(networkInterfaces())
  .flat()
  .find((entry) => entry?.family === 'IPv4' && !entry.internal)?.address;
const missing =
  address === undefined
    ? 'an address beside loopback'
    : existsSync('/usr/bin/openssl')
      ? undefined
      : 'openssl';

if (missing !== undefined || address === undefined)
  test.skip(`SKIPPED: TLS of registries needs ${missing}`, () => undefined);
else
  describe('TLS', () => {
    let directory = '';
    let certs = '';
    let servers: Server[] = [];
    let challenge: string | undefined;
    afterEach(() => {
      challenge = undefined;
    });

    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'sampan-tls-'));
      certs = join(directory, 'certs.d');
      makeCertificates(directory, address);
    });
    afterAll(() => {
      for (const server of servers) server.close();
      servers = [];
      rmSync(directory, { recursive: true, force: true });
    });

    /** A registry without images; it wants a token where `challenge` is set. */
    function listen(extra: object = {}): Promise<string> {
      return listenWith((request, response) => {
        if (challenge === undefined || request.headers.authorization === 'Bearer tok')
          return response.writeHead(404).end();
        return response.writeHead(401, { 'www-authenticate': challenge }).end();
      }, extra);
    }
    async function listenWith(answer: RequestListener, extra: object = {}): Promise<string> {
      const read = (name: string) => readFileSync(join(directory, name));
      const server = createServer(
        { key: read('s.key'), cert: read('s.crt'), ca: read('ca.crt'), ...extra },
        answer,
      );
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
      const bound = server.address();
      return `${address}:${typeof bound === 'object' ? bound?.port : 0}`;
    }
    function provide(host: string, files: Record<string, string>): void {
      mkdirSync(join(certs, host), { recursive: true });
      for (const [name, source] of Object.entries(files))
        copyFileSync(join(directory, source), join(certs, host, name));
    }
    async function ask(
      host: string,
      config: Partial<RegistryConfig> = {},
      options: Partial<RegistryRequest> = {},
    ): Promise<string> {
      const client = new DistributionClient({ ...plainConfig, certsDirectories: [certs], ...config });
      const signal = AbortSignal.timeout(4000);
      const answer = client.manifest(parseReference(`${host}/x:v1`), { signal, ...options });
      return answer.then(() => 'found', messageOf);
    }

    test("a certificate of nobody known is refused in Docker's words", async () => {
      const host = await listen();
      expect(await ask(host)).toBe(
        `Get "https://${host}/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
      );
    });

    test('certs.d brings the authority; an insecure registry needs none', async () => {
      const host = await listen();
      expect(await ask(host, { insecure: [`${address}/32`] })).toContain('not found');
      provide(host, { 'ca.crt': 'ca.crt' });
      expect(await ask(host)).toContain('not found');
    });

    test('certs.d brings a client certificate', async () => {
      const host = await listen({ requestCert: true, rejectUnauthorized: true });
      provide(host, { 'ca.crt': 'ca.crt' });
      expect(await ask(host)).not.toContain('not found');
      provide(host, { 'client.cert': 'c.crt', 'client.key': 'c.key' });
      expect(await ask(host)).toContain('not found');
    });

    test('certs.d may have authorities in several files, and several in one', async () => {
      const host = await listen();
      mkdirSync(join(certs, host), { recursive: true });
      const read = (name: string) => readFileSync(join(directory, name), 'utf8');
      writeFileSync(join(certs, host, 'a-none-of-ours.crt'), read('other.crt'));
      expect(await ask(host)).toContain('certificate signed by unknown authority');
      // Seen as it changes: the folder was read a moment ago.
      writeFileSync(join(certs, host, 'bundle.crt'), read('other.crt') + read('ca.crt'));
      expect(await ask(host)).toContain('not found');
    });

    test('hosts.toml names authority and client certificate, or does without verifying', async () => {
      const host = await listen({ requestCert: true, rejectUnauthorized: true });
      const toml = (text: string) => {
        mkdirSync(join(certs, host), { recursive: true });
        writeFileSync(join(certs, host, 'hosts.toml'), text);
      };
      toml('ca = "../../ca.crt"');
      expect(await ask(host)).not.toContain('not found');
      toml('ca = "../../ca.crt"\nclient = [["../../c.crt", "../../c.key"]]');
      expect(await ask(host)).toContain('not found');
      toml('skip_verify = true\nclient = [["../../c.crt", "../../c.key"]]');
      expect(await ask(host)).toContain('not found');
      toml('ca = "missing.crt"');
      expect(await ask(host)).toBe(`Cannot read ${join(certs, host, 'missing.crt')}: ENOENT`);
    });

    test("a registry's authorities hold for its token server on another host, as with dockerd", async () => {
      const host = await listen();
      provide(host, { 'ca.crt': 'ca.crt' });
      const asked: string[] = [];
      const tokens = await listenWith((request, response) => {
        asked.push(request.url ?? '');
        response.end(JSON.stringify({ token: 'tok' }));
      });
      challenge = `Bearer realm="https://${tokens}/token",service="reg"`;
      expect(await ask(host)).toContain('not found');
      expect(asked).toEqual(['/token?service=reg&scope=repository%3Ax%3Apull']);
    });

    test.each([
      ['-tls1_1', 'http: server gave HTTP response to HTTPS client'],
      ['-tls1_2', 'error unmarshalling content'],
    ])('a server that speaks %s alone: %s', async (version, expected) => {
      const host = `${address}:${await freePort()}`;
      const server = Bun.spawn(
        [
          '/usr/bin/openssl',
          's_server',
          '-accept',
          host,
          '-cert',
          's.crt',
          '-key',
          's.key',
          version,
          '-www',
        ].concat(['-cipher', 'DEFAULT:@SECLEVEL=0', '-quiet']),
        { cwd: directory, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' },
      );
      try {
        provide(host, { 'ca.crt': 'ca.crt' });
        let answer = await ask(host);
        for (let left = 100; left > 0 && answer.includes('connection refused'); left--) {
          await Bun.sleep(50);
          answer = await ask(host);
        }
        expect(answer).toContain(expected);
      } finally {
        server.kill();
        await server.exited;
      }
    });

    test('tlsVerify: false is for the registry that was asked, not for one that it redirects to', async () => {
      let reached = 0;
      const other = await listenWith((_request, response) => {
        reached++;
        response.writeHead(404).end();
      });
      const host = await listenWith((request, response) =>
        response.writeHead(307, { location: `https://${other}${request.url}` }).end(),
      );
      expect(await ask(host, {}, { tlsVerify: false })).not.toContain('not found');
      expect(await ask(other, {}, { tlsVerify: false })).toContain('not found');
      expect(reached).toBe(1);
    });

    test('credentials do not follow a redirect from HTTPS down to HTTP, on the same host', async () => {
      const seen: (string | undefined)[] = [];
      const plain = createPlainServer((request, response) => {
        seen.push(request.headers.authorization);
        response.writeHead(404).end();
      });
      await new Promise<void>((resolve) => plain.listen(0, address, resolve));
      const bound = plain.address();
      const port = typeof bound === 'object' ? bound?.port : 0;
      const host = await listenWith((request, response) => {
        if (request.headers.authorization === undefined)
          return response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
        return response.writeHead(307, { location: `http://${address}:${port}${request.url}` }).end();
      });
      provide(host, { 'ca.crt': 'ca.crt' });
      const credentials = { username: 'me', password: 's3cret' };
      expect(await ask(host, {}, { credentials })).toContain('not found');
      expect(seen).toEqual([undefined]);
      plain.close();
    });

    test('a password is not sent to a token server over plain HTTP by a registry over HTTPS', async () => {
      const host = await listen();
      provide(host, { 'ca.crt': 'ca.crt' });
      challenge = 'Bearer realm="http://127.0.0.1:1/token",service="reg"';
      const credentials = { username: 'me', password: 's3cret' };
      expect(await ask(host, {}, { credentials })).toContain(
        'refusing to send credentials to a token server over plain HTTP',
      );
    });

    test('a client certificate without its key is an error that says so', async () => {
      const host = await listen();
      provide(host, { 'client.cert': 'c.crt' });
      expect(await ask(host)).toBe(
        'missing key client.key for client certificate client.cert. CA certificates must use the extension .crt',
      );
    });
  });

function makeCertificates(directory: string, ip: string): void {
  const openssl = (...args: string[]) => {
    const result = Bun.spawnSync(['/usr/bin/openssl', ...args], { cwd: directory, stderr: 'pipe' });
    if (!result.success) throw new Error(result.stderr.toString());
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '30',
    '-subj',
    '/CN=test authority',
  );
  const other = [
    '-keyout',
    'other.key',
    '-out',
    'other.crt',
    '-days',
    '30',
    '-subj',
    '/CN=another authority',
  ];
  openssl('req', '-x509', ...key, ...other);
  writeFileSync(join(directory, 'names'), `subjectAltName=IP:${ip}`);
  for (const [name, extra] of [
    ['s', ['-extfile', 'names']],
    ['c', []],
  ] as const) {
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '30'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signed, '-out', `${name}.crt`, ...extra);
  }
}
