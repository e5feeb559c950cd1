import { expect, test } from 'bun:test';
import { publicBase } from './public-address.ts';

// The reference registry's rules (its urls package): configured host, X-Forwarded-*, Forwarded, Host.
test.each<[Record<string, string>, object, string]>([
  [{ host: 'registry:5000' }, {}, 'http://registry:5000'],
  [{ host: 'registry:5000' }, { secure: true }, 'https://registry:5000'],
  [{ host: 'inner', 'x-forwarded-proto': 'https' }, {}, 'https://inner'],
  [{ host: 'inner', 'x-forwarded-host': 'outer.example, inner' }, {}, 'http://outer.example'],
  [
    { host: 'inner', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'outer', 'x-forwarded-port': '8443' },
    {},
    'https://outer:8443',
  ],
  [
    { host: 'inner', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'outer', 'x-forwarded-port': '443' },
    {},
    'https://outer',
  ],
  [{ host: 'inner', 'x-forwarded-prefix': '/registry/' }, {}, 'http://inner/registry'],
  [
    { host: 'inner', forwarded: 'for=192.0.2.1; proto=https; host="outer:443", for=10.0.0.1' },
    {},
    'https://outer:443',
  ],
  [{ host: 'inner' }, { publicUrl: 'https://registry.example.com/' }, 'https://registry.example.com'],
  [{ host: 'a b"><script>' }, {}, ''],
  [{ host: 'inner', 'x-forwarded-host': 'evil\\@x' }, {}, ''],
  [{ host: 'inner', 'x-forwarded-proto': 'javascript' }, {}, 'http://inner'],
  [{ host: 'inner', 'x-forwarded-prefix': '//evil.example' }, {}, 'http://inner'],
  [{ host: '[::1]:5000' }, {}, 'http://[::1]:5000'],
  [{}, {}, ''],
])('%p with %p is reached at %p', (headers, options, expected) => {
  expect(publicBase(new Headers(headers), options)).toBe(expected);
});
