import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:https';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../errors/engine-error.ts';
import { parseReference } from '../oci/reference.ts';
import { DistributionClient } from './distribution-client.ts';
import type { RegistryConfig } from './registry-client.ts';
import { plainConfig } from './testing/contract.ts';

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

    async function listen(extra: object = {}): Promise<string> {
      const read = (name: string) => readFileSync(join(directory, name));
      const server = createServer(
        { key: read('s.key'), cert: read('s.crt'), ca: read('ca.crt'), ...extra },
        (_request, response) => response.writeHead(404).end(),
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
    async function ask(host: string, config: Partial<RegistryConfig> = {}): Promise<string> {
      const client = new DistributionClient({ ...plainConfig, certsDirectories: [certs], ...config });
      const answer = client.manifest(parseReference(`${host}/x:v1`), { signal: AbortSignal.timeout(4000) });
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
