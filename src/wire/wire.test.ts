import { expect, test } from 'bun:test';
import { encodeFilters, parseFilters } from './filters.ts';
import { humanDuration } from './human-duration.ts';
import { decodeRegistryAuth, encodeRegistryAuth } from './registry-auth.ts';
import { encodeFrame, FrameDecoder, type StreamName } from './stream-frame.ts';
import { checkApiVersion, compareApiVersions, parseApiVersion } from './versions.ts';

test('filters are read in both of their forms and refused otherwise', () => {
  expect(parseFilters('{"status":{"running":true,"exited":false},"label":["a=b"],"x":null}')).toEqual(
    new Map([
      ['status', ['running']],
      ['label', ['a=b']],
      ['x', []],
    ]),
  );
  expect(encodeFilters(new Map([['status', ['running', 'exited']]]))).toBe(
    '{"status":{"running":true,"exited":true}}',
  );
  for (const text of ['x', '[]', '{"a":1}', '{"a":{"b":1}}', '{"a":[1]}', '"a"'])
    expect(() => parseFilters(text), text).toThrow('invalid filter');
  expect(parseFilters('')).toEqual(new Map());
});

test('FrameDecoder gives back what was framed, however the bytes are cut', () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const stream = Buffer.concat([
    encodeFrame('stdout', bytes('hello')),
    encodeFrame('stderr', new Uint8Array()),
    encodeFrame('stderr', bytes('oh')),
  ]);
  expect([...stream.subarray(0, 8)]).toEqual([1, 0, 0, 0, 0, 0, 0, 5]);
  for (let size = 1; size <= stream.length; size++) {
    const decoder = new FrameDecoder();
    const seen: Partial<Record<StreamName, string>> = {};
    for (let at = 0; at < stream.length; at += size)
      for (const { stream: name, data } of decoder.push(stream.subarray(at, at + size)))
        seen[name] = (seen[name] ?? '') + new TextDecoder().decode(data);
    expect(seen).toEqual({ stdout: 'hello', stderr: 'oh' });
    expect(decoder.atBoundary).toBe(true);
  }
  expect(() => [...new FrameDecoder().push(bytes('HTTP/1.1 400'))]).toThrow('Unrecognized input header');
});

test('X-Registry-Auth is read as Go and as browsers encode it; what is none counts as none', () => {
  const auth = { username: 'ü', password: '??>>~~', serveraddress: 'https://index.docker.io/v1/' };
  expect(decodeRegistryAuth(encodeRegistryAuth(auth))).toEqual(auth);
  expect(decodeRegistryAuth(Buffer.from(JSON.stringify(auth)).toString('base64'))).toEqual(auth);
  expect(decodeRegistryAuth(Buffer.from('{}').toString('base64url'))).toBeUndefined();
  expect(decodeRegistryAuth(undefined)).toBeUndefined();
  for (const none of ['secret!', 'undefined', 'zzz', btoa('[]'), btoa('{"username":1}')])
    expect(decodeRegistryAuth(none)).toBeUndefined();
});

test('versions outside the range are refused in the words of Docker', () => {
  expect(() => checkApiVersion('1.23')).toThrow(
    'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
  );
  expect(() => checkApiVersion('1.60')).toThrow(
    'client version 1.60 is too new. Maximum supported API version is 1.51',
  );
  checkApiVersion('1.24');
  expect(compareApiVersions('1.9', '1.24')).toBeLessThan(0);
  expect([parseApiVersion('1'), parseApiVersion('x.1'), parseApiVersion('1.51')]).toEqual([
    undefined,
    undefined,
    { major: 1, minor: 51 },
  ]);
});

test('humanDuration() rounds as go-units does', () => {
  // Table of go-units' own test.
  const day = 86400;
  for (const [seconds, text] of [
    [0.45, 'Less than a second'],
    [1, '1 second'],
    [47, '47 seconds'],
    [60, 'About a minute'],
    [35 * 60, '35 minutes'],
    [35 * 60 + 40, '35 minutes'],
    [3600, 'About an hour'],
    [3600 + 45 * 60, '2 hours'],
    [3 * 3600 + 40 * 60, '4 hours'],
    [35 * 3600, '35 hours'],
    [2 * day, '2 days'],
    [2 * 7 * day, '2 weeks'],
    [25 * day, '3 weeks'],
    [2 * 30 * day, '2 months'],
    [23 * 30 * day, '23 months'],
    [2 * 365 * day, '2 years'],
  ] as const)
    expect(humanDuration(seconds)).toBe(text);
});
