import { expect, test } from 'bun:test';
import { archiveOf, seenByGuest } from './host-settings.ts';

test("archiveOf() reads both of apt's formats", () => {
  const old = 'deb [signed-by=/k.gpg] https://mirror.example.com/pub/debian/ trixie main\n';
  const current = 'Types: deb\nURIs: http://mirror.example.com/debian-security\nSuites: trixie-security\n';
  expect(archiveOf(old, 'debian')).toBe('https://mirror.example.com/pub/debian');
  expect(archiveOf(current, 'debian-security')).toBe('http://mirror.example.com/debian-security');
  expect(archiveOf(current, 'debian')).toBeUndefined();
  expect(archiveOf('# deb http://mirror.example.com/debian trixie main', 'debian')).toBeUndefined();
});

test("seenByGuest() turns the host's loopback into the gateway, and nothing else", () => {
  expect(seenByGuest('http_proxy=http://127.0.0.1:3128')).toBe('http_proxy=http://10.0.2.2:3128');
  expect(seenByGuest('registry=https://user:word@localhost/npm/')).toBe(
    'registry=https://user:word@10.0.2.2/npm/',
  );
  expect(seenByGuest('http://localhost.example.com/ 127.0.0.1')).toBe(
    'http://localhost.example.com/ 127.0.0.1',
  );
});
