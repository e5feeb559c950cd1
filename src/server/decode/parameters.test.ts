import { expect, test } from 'bun:test';
import { type ApiRequest, boolParam, intParam } from '../api-request.ts';
import { credentialsOf } from './credentials.ts';
import { detachKeysOf } from './detach-keys.ts';
import { platformParam } from './platform.ts';

const request = (query: string): ApiRequest => ({
  method: 'GET',
  params: [],
  query: new URLSearchParams(query),
  headers: {},
  version: '1.51',
  body: (async function* () {})(),
  signal: new AbortController().signal,
});

test('true is anything but the words for false', () => {
  for (const text of ['a=1', 'a=true', 'a=True', 'a=yes', 'a=x'])
    expect(boolParam(request(text), 'a')).toBe(true);
  for (const text of ['', 'a', 'a=', 'a=0', 'a=no', 'a=False', 'a=none', 'a=%20'])
    expect(boolParam(request(text), 'a')).toBe(false);
});

test('numbers are whole and exact, or refused', () => {
  expect([intParam(request('a=-5'), 'a'), intParam(request('a='), 'a')]).toEqual([-5, undefined]);
  for (const text of ['1.5', '0x10', '1e3', ' 1', '9007199254740993'])
    expect(() => intParam(request(`a=${text}`), 'a'), text).toThrow('strconv.Atoi');
});

test('platforms are read in the forms that clients use', () => {
  const platform = (text: string) => platformParam(request(`platform=${encodeURIComponent(text)}`));
  expect(platform('')).toBeUndefined();
  expect(platform('linux/arm64/v8')).toEqual({ os: 'linux', architecture: 'arm64', variant: 'v8' });
  expect(platform('Linux/x86_64')).toEqual({ os: 'linux', architecture: 'amd64' });
  expect(platform('aarch64')).toEqual({ os: 'linux', architecture: 'arm64' });
  expect(platform('windows')).toMatchObject({ os: 'windows' });
  expect(platform('{"os":"linux","architecture":"arm","variant":"v7"}')).toEqual({
    os: 'linux',
    architecture: 'arm',
    variant: 'v7',
  });
  // As dockerd 28.5 answers.
  expect(() => platform('bad')).toThrow('"bad": unknown operating system or architecture: invalid argument');
  expect(() => platform('linux/arm/v8/x')).toThrow(
    '"linux/arm/v8/x": cannot parse platform specifier: invalid argument',
  );
  for (const text of [
    'a/b/c/d',
    'linux/',
    '/',
    'linux/a b',
    '{',
    '{"os":"linux"}',
    '{"os":1,"architecture":"a"}',
  ])
    expect(() => platform(text), text).toThrow();
});

test('detach keys that are none are refused in the words of each call', () => {
  const attach = { kind: 'invalid', what: 'detach' } as const;
  expect([...detachKeysOf('a,ctrl-p', attach)]).toEqual([97, 16]);
  expect(() => detachKeysOf('a,foo', attach)).toThrow('Invalid detach keys (a,foo) provided');
  expect(() => detachKeysOf('foo', { kind: 'internal', what: 'escape' })).toThrow(
    'Invalid escape keys (foo) provided',
  );
});

test('credentials come from either form of an AuthConfig', () => {
  const auth = Buffer.from('user:pass:word').toString('base64');
  expect(credentialsOf({ auth, serveraddress: 'x' })).toEqual({
    username: 'user',
    password: 'pass:word',
    serverAddress: 'x',
  });
  expect(credentialsOf({ username: 'a', password: 'b', auth })).toEqual({ username: 'a', password: 'b' });
  expect(credentialsOf({ identitytoken: 't' })).toEqual({ identityToken: 't' });
});
