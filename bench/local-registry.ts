import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { BenchImage } from './bench-image.ts';
import type { CleanUp } from './clean-up.ts';
import { findProgram } from './run-command.ts';
import { stopChild, waitUntil } from './wait.ts';

/** Debian's docker-registry (distribution) on loopback: the same source for both sides. */
export class LocalRegistry {
  readonly address: string;

  private constructor(address: string) {
    this.address = address;
  }

  /** @throws Error when docker-registry isn't installed or doesn't start. */
  static async start(folder: string, cleanUp: CleanUp): Promise<LocalRegistry> {
    const program = findProgram('docker-registry');
    if (program === undefined)
      throw new Error('Cannot find docker-registry. Install the package docker-registry.');
    const address = `127.0.0.1:${await freePort()}`;
    mkdirSync(join(folder, 'registry'), { recursive: true });
    const config = join(folder, 'registry.json');
    const storage = { filesystem: { rootdirectory: join(folder, 'registry') } };
    writeFileSync(
      config,
      JSON.stringify({ version: '0.1', log: { level: 'error' }, storage, http: { addr: address } }),
    );
    const child = spawn(program, ['serve', config], { stdio: 'ignore' });
    cleanUp.add('the registry', () => stopChild(child));
    await waitUntil('docker-registry', async () => (await fetch(`http://${address}/v2/`)).ok);
    return new LocalRegistry(address);
  }

  /** Store an image under `name:1`. @returns The reference that names it on any daemon of this machine. */
  async push(name: string, image: BenchImage): Promise<string> {
    for (const blob of image.blobs) await this.#pushBlob(name, blob);
    const response = await fetch(`http://${this.address}/v2/${name}/manifests/1`, {
      method: 'PUT',
      headers: { 'content-type': image.mediaType },
      body: image.manifest,
    });
    if (!response.ok)
      throw new Error(`Cannot push the manifest: ${response.status} ${await response.text()}`);
    return `${this.address}/${name}:1`;
  }

  async #pushBlob(name: string, blob: { digest: string; data: Uint8Array<ArrayBuffer> }): Promise<void> {
    const start = await fetch(`http://${this.address}/v2/${name}/blobs/uploads/`, { method: 'POST' });
    await start.text();
    const target = new URL(start.headers.get('location') ?? '', `http://${this.address}`);
    target.searchParams.set('digest', blob.digest);
    const response = await fetch(target, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body: blob.data,
    });
    if (!response.ok) throw new Error(`Cannot push a blob: ${response.status} ${await response.text()}`);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('Cannot find a free port');
  return address.port;
}
