import { describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { failureOf } from '../../../test/support/failure-of.ts';
import { directory, file, makeTar } from '../../../test/support/images/tar-maker.ts';
import { decodePacket, encodePacket, type Packet } from '../filesync/packet.ts';
import type { GrpcStream } from '../grpc/grpc-client.ts';
import { BytesMessageSchema } from '../protocol/generated/filesync_pb.ts';
import { DirectoryOutput } from './directory-output.ts';
import { ArchiveOutput } from './file-output.ts';
import type { OpenSession } from './session-store.ts';

const { signal } = new AbortController();

function sessionOf(stream: GrpcStream): OpenSession {
  return { id: 's', name: '', sharedKey: '', offers: () => true, client: { open: () => stream } as never };
}

function streamOf(...pieces: Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}

/** A client that asks for every file that it is told of, and then says that it is done. */
class AskingClient implements GrpcStream {
  readonly packets: Packet[] = [];
  readonly #requests: Packet[] = [];
  #wake = Promise.withResolvers<void>();
  #listed = 0;
  #open = new Set<number>();

  async send(message: Uint8Array): Promise<void> {
    const packet = decodePacket(message);
    this.packets.push(packet.type === 'data' ? { ...packet, data: packet.data.slice() } : packet);
    if (packet.type === 'stat' && packet.stat !== undefined)
      this.#ask(packet.stat.mode, packet.stat.linkname);
    else if (packet.type === 'data' && packet.data.length === 0) this.#open.delete(packet.id);
    const isListed = this.packets.some(
      ({ type, ...rest }) => type === 'stat' && !('stat' in rest && rest.stat),
    );
    if (isListed && this.#open.size === 0 && packet.type !== 'finish') this.#request({ type: 'finish' });
  }

  async *messages(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = this.#requests.shift();
      if (next === undefined) {
        await this.#wake.promise;
        this.#wake = Promise.withResolvers<void>();
        continue;
      }
      yield encodePacket(next);
      if (next.type === 'finish') return;
    }
  }

  finish(): void {}
  close(): void {}

  #ask(mode: number, linkname: string): void {
    const id = this.#listed++;
    if (mode >= 0x8000000 || linkname !== '') return;
    this.#open.add(id);
    this.#request({ type: 'request', id });
  }

  #request(packet: Packet): void {
    this.#requests.push(packet);
    this.#wake.resolve();
  }
}

describe('DirectoryOutput', () => {
  test('lists names by their bytes, directories first, a hard link after what it links to', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'output-'));
    try {
      const client = new AskingClient();
      const archive = makeTar([
        file('z', new TextEncoder().encode('text')),
        { ...file('a', ''), type: '1', linkName: 'z' },
        file('d.x', new TextEncoder().encode('x')),
        file('d/inner', new TextEncoder().encode('deep')),
        directory('d'),
      ]);
      await new DirectoryOutput(sessionOf(client), '0', scratch).write(streamOf(archive), { signal });
      const stats = client.packets.flatMap((packet) =>
        packet.type === 'stat' && packet.stat ? [packet.stat] : [],
      );
      expect(stats.map(({ path, linkname }) => [path, linkname])).toEqual([
        ['a', ''],
        ['d', ''],
        ['d/inner', ''],
        ['d.x', ''],
        ['z', 'a'],
      ]);
      const content = client.packets.flatMap((packet) =>
        packet.type === 'data' && packet.data.length > 0
          ? [[packet.id, new TextDecoder().decode(packet.data)]]
          : [],
      );
      expect(content.sort(([a], [b]) => Number(a) - Number(b))).toEqual([
        [0, 'text'],
        [2, 'deep'],
        [3, 'x'],
      ]);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
});

describe('ArchiveOutput', () => {
  test('takes no more of the archive than the client has room for', async () => {
    const room = Promise.withResolvers<void>();
    let [taken, received] = [0, 0];
    const archive = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (++taken > 20) controller.close();
          else controller.enqueue(new Uint8Array(1000));
        },
      },
      { highWaterMark: 0 },
    );
    const stream: GrpcStream = {
      send: async (message) => {
        received += fromBinary(BytesMessageSchema, message).data.length;
        await room.promise;
      },
      messages: async function* () {},
      finish: () => undefined,
      close: () => undefined,
    };
    const writing = new ArchiveOutput(sessionOf(stream), '0', {}).write(archive, { signal });
    await Bun.sleep(20);
    expect(taken).toBeLessThanOrEqual(2);
    room.resolve();
    await writing;
    expect(received).toBe(20_000);
  });

  test('an output to a client that takes none is refused', async () => {
    const session = { ...sessionOf({} as GrpcStream), offers: () => false };
    expect(
      String(await failureOf(new ArchiveOutput(session, '0', {}).write(streamOf(), { signal }))),
    ).toContain('not supported by the client');
  });
});
