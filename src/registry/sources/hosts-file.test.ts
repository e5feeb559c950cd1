import { describe, expect, test } from 'bun:test';
import { EngineError } from '../../errors/engine-error.ts';
import { parseHostsFile } from './hosts-file.ts';

const path = '/etc/sampan/certs.d/ghcr.io/hosts.toml';
const parsed = (text: string) => parseHostsFile(text, path);

describe('parseHostsFile()', () => {
  // The examples of containerd's docs/hosts.md.
  test('reads hosts in the order of the file, then the server', () => {
    const { hosts, server } = parsed(`
server = "https://registry-1.docker.io"
[host."https://zz.example.com"]
  capabilities = ["pull"]
[host."https://aa.internal/us"]
  capabilities = ["Pull", "resolve"]
  ca = "docker-mirror.crt"
  skip_verify = true
  dial_timeout = "1m30s"
  [host."https://aa.internal/us".header]
    X-Custom-2 = ["value1", "value2"]
    x-one = "1"
[host."plain.internal:5000"]
`);
    expect(hosts.map(({ url, apiBase }) => [url, apiBase])).toEqual([
      ['https://zz.example.com', 'https://zz.example.com/v2'],
      ['https://aa.internal/us', 'https://aa.internal/us/v2'],
      ['https://plain.internal:5000', 'https://plain.internal:5000/v2'],
    ]);
    expect(hosts[1]).toMatchObject({
      capabilities: new Set(['pull', 'resolve']),
      ca: ['/etc/sampan/certs.d/ghcr.io/docker-mirror.crt'],
      skipVerify: true,
      headers: { 'x-custom-2': 'value1, value2', 'x-one': '1' },
      dialTimeoutMs: 90_000,
    });
    expect(hosts[2]).toMatchObject({
      capabilities: undefined,
      skipVerify: undefined,
      dialTimeoutMs: undefined,
    });
    expect(server.url).toBe('https://registry-1.docker.io');
  });

  test.each([
    ['"https://a/v2"', false, 'https://a/v2'],
    ['"https://a/v2/"', false, 'https://a/v2'],
    ['"https://a/v2/upstream"', true, 'https://a/v2/upstream'],
    ['"https://a"', true, 'https://a'],
    ['"https://a/x"', false, 'https://a/x/v2'],
  ])('the API of %s with override_path %p begins at %s', (url, override, expected) => {
    const { hosts } = parsed(`[host.${url}]\noverride_path = ${override}`);
    expect(hosts[0]?.apiBase).toBe(expected);
  });

  test.each([
    ['client = "/c.pem"', [['/c.pem', '/c.pem']]],
    [
      'client = ["a.pem", "/b.pem"]',
      [
        ['/etc/sampan/certs.d/ghcr.io/a.pem', '/etc/sampan/certs.d/ghcr.io/a.pem'],
        ['/b.pem', '/b.pem'],
      ],
    ],
    [
      'client = [["/c.cert", "/c.key"], ["/d.pem", ""]]',
      [
        ['/c.cert', '/c.key'],
        ['/d.pem', '/d.pem'],
      ],
    ],
  ])('reads %s', (line, expected) => {
    expect(parsed(line).server.clients).toEqual(expected as [string, string][]);
  });

  test.each([
    ['capabilties = ["pull"]', 'unknown key "capabilties"'],
    ['[host."https://a"]\nserver = "x"', 'host."https://a": unknown key "server"'],
    ['capabilities = ["fetch"]', 'unknown capability "fetch"'],
    ['capabilities = [1]', 'capabilities must be a string or a list of strings'],
    ['skip_verify = "yes"', 'skip_verify must be true or false'],
    ['server = 1', 'server must be a string'],
    ['server = "https://u:s3cret@a"', 'a host is an http or https URL without user'],
    ['[host."https://a?b=c"]', 'a host is an http or https URL without user, query'],
    ['host = "x"', 'host must be a table'],
    ['[host]\n"https://a" = 1', 'host."https://a" must be a table'],
    ['client = [["a", "b", "c"]]', 'client must be a path'],
    ['client = 1', 'client must be a path'],
    ['dial_timeout = "soon"', 'dial_timeout must be a duration'],
    ['dial_timeout = "0s"', 'dial_timeout must be a duration'],
    ['[header]\n"x y" = "1"', 'header "x y" is no valid HTTP header'],
    ['[header]\nx = "a\\r\\nhost: b"', 'header "x" is no valid HTTP header'],
    ['[header]\nx = 1', 'header x must be a string'],
    ['server = "a"\nserver = "b"', ''],
    ['[host."https://a"', ''],
  ])('refuses %p', (text, reason) => {
    try {
      parsed(text);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(EngineError);
      expect((error as EngineError).message).toStartWith(`Cannot use ${path}: ${reason}`);
      expect((error as EngineError).message).not.toMatch(/s3cret|\n/);
    }
  });

  test('a syntax error shows nothing of the file', () => {
    const text = '[header]\nauthorization = "Basic c2VjcmV0\n';
    expect(() => parsed(text)).toThrow(/^(?!.*c2Vj)/);
    expect(() => parsed(text)).toThrow(`Cannot use ${path}: `);
  });
});
