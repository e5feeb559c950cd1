import { connect, createServer, type Socket } from 'node:net';

/** An HTTP proxy in this network namespace that leads out of it. */
export interface Outside {
  port: number;
  close(): void;
}

/** @throws Error where `scripts/test.mjs`, which has the other end, doesn't run the test. */
export async function openOutside(): Promise<Outside> {
  const path = process.env['SAMPAN_TEST_OUTSIDE'];
  if (path === undefined) throw new Error('Run this file by scripts/test.mjs: it needs a way out');
  const sockets = new Set<Socket>();
  const server = createServer((inside) => {
    const outside = connect(path);
    for (const [one, other] of [
      [inside, outside],
      [outside, inside],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((done) => server.listen(0, '0.0.0.0', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
