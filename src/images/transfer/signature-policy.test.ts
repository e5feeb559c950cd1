import { afterAll, beforeAll, expect, test } from 'bun:test';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failureOf } from '../../../test/support/failure-of.ts';
import { parseReference } from '../../oci/reference.ts';
import { readSignaturePolicy, ruleFor } from './signature-policy.ts';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sampan-policy-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const pair = generateKeyPairSync('ed25519');
const pem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const path = () => join(root, 'policy.json');

function write(policy: unknown): void {
  writeFileSync(path(), typeof policy === 'string' ? policy : JSON.stringify(policy));
}

test('the longest pattern that fits has the word', async () => {
  writeFileSync(join(root, 'release.pub'), pem);
  write({
    default: 'reject',
    repositories: {
      'docker.io/*': 'accept',
      'docker.io/library/busybox': { keys: [pem] },
      'r.test:5000/*': { keys: ['release.pub'], signedAs: 'vendor.test/app' },
      'r.test:5000/team/*': 'reject',
    },
  });
  const policy = await readSignaturePolicy(path());
  const of = (name: string) => {
    const { pattern, rule } = ruleFor(policy, parseReference(name));
    return `${pattern} ${rule.kind}`;
  };
  expect(of('busybox')).toBe('docker.io/library/busybox signed');
  expect(of('alpine')).toBe('docker.io/* accept');
  expect(of('team/alpine')).toBe('docker.io/* accept');
  expect(of('r.test:5000/app:1')).toBe('r.test:5000/* signed');
  expect(of('r.test:5000/team/deep/app')).toBe('r.test:5000/team/* reject');
  expect(of('r.test:5000/teamwork')).toBe('r.test:5000/* signed');
  expect(of('r.test/app')).toBe('default reject');
});

const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).publicKey;
const rsa1024 = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
const spki = (key: typeof p384) => key.export({ type: 'spki', format: 'pem' }).toString();
const refusals: [unknown, string][] = [
  ['{', 'invalid JSON'],
  [[], 'the policy must be an object'],
  [{ repositories: {} }, 'default is missing'],
  [{ default: 'allow' }, 'default must be an object'],
  [{ default: 'accept', rules: {} }, 'the policy has an unknown key "rules"'],
  [
    { default: 'accept', repositories: { busybox: 'reject' } },
    'has to be written "docker.io/library/busybox"',
  ],
  [
    { default: 'accept', repositories: { 'r.test/a:1': 'reject' } },
    'is no repository: leave out tag and digest',
  ],
  [{ default: 'accept', repositories: { '*': 'reject' } }, 'invalid reference format'],
  [{ default: { keys: [] } }, 'default: keys must be a list of 1 to 16'],
  [{ default: { keys: [pem], key: pem } }, 'default has an unknown key "key"'],
  [{ default: { keys: ['absent.pub'] } }, 'absent.pub'],
  [{ default: { keys: ['.'] } }, 'is no file'],
  [{ default: { keys: [privatePem] } }, 'a key is a private key'],
  [
    { default: { keys: ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'] } },
    'a key is no public key',
  ],
  [{ default: { keys: [spki(p384)] } }, 'is none of ECDSA P-256'],
  [{ default: { keys: [spki(rsa1024)] } }, 'is none of ECDSA P-256'],
];
test.each(refusals.map(([policy, reason]) => ({ policy, reason })))(
  'a policy that is not understood whole lets nothing in: $reason',
  async ({ policy, reason }) => {
    write(policy);
    const failure = await failureOf(readSignaturePolicy(path()));
    expect(failure).toMatchObject({ kind: 'internal', code: 'signature-refused' });
    expect(String(failure)).toContain(`Cannot use signature policy ${path()}: `);
    expect(String(failure)).toContain(reason);
  },
);
