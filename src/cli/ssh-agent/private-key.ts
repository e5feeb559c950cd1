import { createPrivateKey, createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { EngineError } from '../../errors/engine-error.ts';
import { SshReader, sshMpint, sshString } from './ssh-bytes.ts';

/** A private key as an agent holds it. */
export interface PrivateKey {
  /** Its public half, as the wire has it (RFC 4253, section 6.6). */
  blob: Buffer;
  kind: 'ssh-ed25519' | 'ssh-rsa' | 'ecdsa-sha2-nistp256' | 'ecdsa-sha2-nistp384' | 'ecdsa-sha2-nistp521';
  key: KeyObject;
}

const OPENSSH = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----/;
const MAGIC = 'openssh-key-v1\0';
const CURVES: Readonly<Record<string, string>> = {
  'P-256': 'nistp256',
  'P-384': 'nistp384',
  'P-521': 'nistp521',
};

/** An unencrypted private key: OpenSSH's form, or PEM (PKCS#1, PKCS#8, SEC 1). @throws EngineError "invalid" in Go's words. */
export function parsePrivateKey(text: string): PrivateKey {
  const own = OPENSSH.exec(text)?.[1];
  if (own === undefined) return keyOf(pemKey(text));
  return keyOf(opensshKey(Buffer.from(own.replace(/\s/g, ''), 'base64')));
}

function pemKey(text: string): KeyObject {
  if (!text.includes('-----BEGIN ')) throw new EngineError('invalid', 'ssh: no key found');
  if (/ENCRYPTED/.test(text)) throw protectedKey();
  try {
    return createPrivateKey(text);
  } catch (error) {
    throw new EngineError('invalid', 'ssh: the private key cannot be read', { cause: error });
  }
}

function protectedKey(): EngineError {
  return new EngineError('invalid', 'ssh: this private key is passphrase protected');
}

/** https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key */
function opensshKey(bytes: Buffer): KeyObject {
  if (bytes.subarray(0, MAGIC.length).toString('latin1') !== MAGIC)
    throw new EngineError('invalid', 'ssh: invalid openssh private key format');
  const outer = new SshReader(bytes.subarray(MAGIC.length));
  const cipher = outer.text();
  outer.string();
  outer.string();
  if (cipher !== 'none') throw protectedKey();
  if (outer.uint32() !== 1) throw new EngineError('invalid', 'ssh: multi-key files are not supported');
  outer.string();
  const inner = new SshReader(outer.string());
  if (inner.uint32() !== inner.uint32()) throw new EngineError('invalid', 'ssh: malformed OpenSSH key');
  return createPrivateKey({ key: jwkOf(inner), format: 'jwk' });
}

function jwkOf(reader: SshReader): webcrypto.JsonWebKey {
  const kind = reader.text();
  if (kind === 'ssh-ed25519') {
    const x = reader.string();
    const seed = reader.string().subarray(0, 32);
    return { kty: 'OKP', crv: 'Ed25519', x: url(x), d: url(seed) };
  }
  if (kind === 'ssh-rsa') return rsaJwk(reader);
  const crv = Object.entries(CURVES).find(([, name]) => kind === `ecdsa-sha2-${name}`)?.[0];
  if (crv === undefined) throw new EngineError('invalid', `ssh: unhandled key type ${JSON.stringify(kind)}`);
  reader.string();
  const point = reader.string();
  const length = (point.length - 1) / 2;
  const d = fixed(reader.string(), length);
  return {
    kty: 'EC',
    crv,
    x: url(point.subarray(1, 1 + length)),
    y: url(point.subarray(1 + length)),
    d: url(d),
  };
}

function rsaJwk(reader: SshReader): webcrypto.JsonWebKey {
  const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => unsigned(reader.string()));
  if (!n || !e || !d || !qi || !p || !q) throw new EngineError('invalid', 'ssh: malformed OpenSSH key');
  const exponent = number(d);
  const dp = bytesOf(exponent % (number(p) - 1n));
  const dq = bytesOf(exponent % (number(q) - 1n));
  const parts = { n, e, d, p, q, dp, dq, qi };
  return {
    kty: 'RSA',
    ...Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, url(value)])),
  };
}

function url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

function unsigned(bytes: Buffer): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  return bytes.subarray(from);
}

function fixed(bytes: Buffer, length: number): Buffer {
  const plain = unsigned(bytes);
  return Buffer.concat([Buffer.alloc(Math.max(0, length - plain.length)), plain]);
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
}

function bytesOf(value: bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

function keyOf(key: KeyObject): PrivateKey {
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  const part = (name: 'n' | 'e' | 'x' | 'y'): Buffer => Buffer.from(jwk[name] ?? '', 'base64url');
  if (jwk.kty === 'RSA') {
    const blob = Buffer.concat([sshString('ssh-rsa'), sshMpint(part('e')), sshMpint(part('n'))]);
    return { kind: 'ssh-rsa', blob, key };
  }
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519')
    return {
      kind: 'ssh-ed25519',
      blob: Buffer.concat([sshString('ssh-ed25519'), sshString(part('x'))]),
      key,
    };
  const curve = jwk.kty === 'EC' ? CURVES[jwk.crv ?? ''] : undefined;
  if (curve === undefined)
    throw new EngineError('invalid', `ssh: unsupported key type ${jwk.crv ?? jwk.kty ?? 'unknown'}`);
  const kind = `ecdsa-sha2-${curve}` as PrivateKey['kind'];
  const point = Buffer.concat([Buffer.from([4]), part('x'), part('y')]);
  return { kind, blob: Buffer.concat([sshString(kind), sshString(curve), sshString(point)]), key };
}
