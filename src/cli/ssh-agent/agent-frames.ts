import { EngineError } from '../../errors/engine-error.ts';

/** As OpenSSH's agent takes at most. */
const MAX_FRAME_BYTES = 256 << 10;

/** Messages of the agent protocol (https://www.rfc-editor.org/rfc/rfc9987), without their lengths. @throws EngineError "invalid" for one too long. */
export async function* agentFrames(input: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  for await (const piece of input) {
    rest = Buffer.concat([rest, piece]);
    while (rest.length >= 4) {
      const length = rest.readUInt32BE();
      if (length === 0 || length > MAX_FRAME_BYTES)
        throw new EngineError('invalid', `an ssh-agent message of ${length} bytes`);
      if (rest.length < 4 + length) break;
      yield rest.subarray(4, 4 + length);
      rest = rest.subarray(4 + length);
    }
  }
}

export function agentFrame(message: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(message.length);
  return Buffer.concat([head, message]);
}
