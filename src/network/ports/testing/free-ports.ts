import { createServer, type Server } from 'node:net';

/** Ports of 127.0.0.1 that nothing listens on at this moment. */
export async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()] as const;
  const [first, second] = await Promise.all(servers.map(listenAnywhere));
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return [first ?? 0, second ?? 0];
}

/** @returns the port. */
export async function listenAnywhere(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen({ host: '127.0.0.1', port: 0 }, done));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
