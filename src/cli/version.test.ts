import { expect, test } from 'bun:test';
import manifest from '../../package.json' with { type: 'json' };
import { CLIENT_VERSION } from './version.ts';

test("the client's version is the package's", () => {
  expect(CLIENT_VERSION).toBe(manifest.version);
});
