import { sign } from 'node:crypto';
import { AGENT, SIGN_FLAGS } from './agent-messages.ts';
import type { PrivateKey } from './private-key.ts';
import { SshReader, sshMpint, sshString, sshUint32 } from './ssh-bytes.ts';

const FAILURE = Buffer.from([AGENT.failure]);
const CURVE_HASHES: Readonly<Record<string, string>> = {
  'ecdsa-sha2-nistp256': 'sha256',
  'ecdsa-sha2-nistp384': 'sha384',
  'ecdsa-sha2-nistp521': 'sha512',
};

/** An agent that lists its keys and signs with them, and does nothing else. */
export class KeyAgent {
  readonly #keys: readonly PrivateKey[];

  constructor(keys: readonly PrivateKey[]) {
    this.#keys = keys;
  }

  answer(message: Uint8Array): Uint8Array {
    try {
      switch (message[0]) {
        case AGENT.requestIdentities:
          return this.#identities();
        case AGENT.signRequest:
          return this.#sign(new SshReader(message.subarray(1)));
        default:
          return FAILURE;
      }
    } catch {
      return FAILURE;
    }
  }

  #identities(): Uint8Array {
    const listed = this.#keys.flatMap(({ blob }) => [sshString(blob), sshString('')]);
    return Buffer.concat([Buffer.from([AGENT.identitiesAnswer]), sshUint32(this.#keys.length), ...listed]);
  }

  #sign(request: SshReader): Uint8Array {
    const [blob, data, flags] = [request.string(), request.string(), request.uint32()];
    const key = this.#keys.find((one) => one.blob.equals(blob));
    if (key === undefined) return FAILURE;
    return Buffer.concat([Buffer.from([AGENT.signResponse]), sshString(signature(key, data, flags))]);
  }
}

function signature({ kind, key }: PrivateKey, data: Buffer, flags: number): Buffer {
  if (kind === 'ssh-ed25519') return Buffer.concat([sshString(kind), sshString(sign(null, data, key))]);
  if (kind === 'ssh-rsa') {
    const [name, hash] =
      (flags & SIGN_FLAGS.rsaSha512) !== 0
        ? ['rsa-sha2-512', 'sha512']
        : (flags & SIGN_FLAGS.rsaSha256) !== 0
          ? ['rsa-sha2-256', 'sha256']
          : ['ssh-rsa', 'sha1'];
    return Buffer.concat([sshString(name), sshString(sign(hash, data, key))]);
  }
  const plain = sign(CURVE_HASHES[kind] ?? 'sha256', data, { key, dsaEncoding: 'ieee-p1363' });
  const half = plain.length / 2;
  const parts = Buffer.concat([sshMpint(plain.subarray(0, half)), sshMpint(plain.subarray(half))]);
  return Buffer.concat([sshString(kind), sshString(parts)]);
}
