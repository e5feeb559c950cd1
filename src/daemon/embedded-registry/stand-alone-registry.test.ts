import { expect, test } from 'bun:test';
import { SERVE_FLAGS } from '../../cli/commands/registry/flags.ts';
import { parseFlags } from '../../cli/flags/flag-set.ts';
import { embeddedRegistry } from './embedded-settings.ts';
import { serveOptions } from './stand-alone-registry.ts';
import { parseUpstream } from './upstream-address.ts';

const options = (...args: string[]) => serveOptions(parseFlags(SERVE_FLAGS, args, { interspersed: true }));

test('who may write: nobody, everybody who was let, users; never on a read-only one', () => {
  expect(options()).toMatchObject({ host: '127.0.0.1', port: 5000, writable: false, proxy: undefined });
  expect(options('--writable').writable).toBe(true);
  expect(options('--htpasswd', 'f').writable).toBe(true);
  expect(options('--htpasswd', 'f', '--read-only').writable).toBe(false);
});

test('addresses', () => {
  expect(options('--addr', ':80')).toMatchObject({ host: '0.0.0.0', port: 80 });
  expect(options('--addr', '[::1]:80')).toMatchObject({ host: '::1', port: 80 });
});

test('an upstream is a domain, and what stands in front of its names', () => {
  const hub = { domain: 'docker.io', prefix: '', insecure: false };
  for (const text of ['docker.io', 'https://registry-1.docker.io', 'https://index.docker.io/v2/'])
    expect(parseUpstream(text)).toEqual(hub);
  expect(parseUpstream('http://127.0.0.1:5000/team/')).toEqual({
    domain: '127.0.0.1:5000',
    prefix: 'team/',
    insecure: true,
  });
  expect(options('--proxy', 'https://r.example', '--max-size', '2GB').proxy).toMatchObject({
    maxBytes: 2 * 2 ** 30,
  });
});

test.each([
  [['--writable', '--read-only'], 'exclude each other'],
  [['--anonymous-read'], 'needs --htpasswd'],
  [['--tls-cert', 'x'], 'TLS needs --tls-cert and --tls-key'],
  [['--tls-client-ca', 'x'], 'TLS needs --tls-cert and --tls-key'],
  [['--addr', 'nowhere'], 'invalid --addr'],
  [['--addr', 'x:99999'], 'invalid --addr'],
  [['--proxy', 'ftp://x'], 'expected an http or https URL'],
  [['--proxy', 'https://x?y'], 'query or fragment'],
  [['--proxy', 'https://x/UP'], 'begins no repository'],
  [['--max-size', '0'], 'invalid size'],
  [['--public-url', 'x'], 'invalid --public-url'],
])('%p is refused', (args, message) => {
  expect(() => options(...args)).toThrow(message);
});

test('credentials in an upstream’s address are refused and not repeated', () => {
  const outcome = (() => {
    try {
      return parseUpstream('https://ann:s3cret@r.example');
    } catch (error) {
      return String(error);
    }
  })();
  expect(outcome).toContain('credentials belong into a file');
  expect(outcome).not.toContain('s3cret');
});

test('the daemon’s own registry takes pushes from users alone, and needs an address', () => {
  const read = (values: Record<string, string>) =>
    embeddedRegistry((key) => values[key] ?? (key === 'embedded-registry-max-size' ? '10GB' : ''));
  expect(read({})).toBeUndefined();
  expect(read({ 'embedded-registry': '127.0.0.1:5050' })).toMatchObject({ writable: false });
  expect(read({ 'embedded-registry': '127.0.0.1:5050', 'embedded-registry-htpasswd': 'f' })).toMatchObject({
    writable: true,
    htpasswd: 'f',
    anonymousRead: true,
  });
  expect(() => read({ 'embedded-registry-proxy': 'https://x' })).toThrow('needs embedded-registry');
});
