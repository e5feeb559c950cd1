import { renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { must } from '../support/engine/command.ts';
import type { Accelerator } from './accelerator.ts';
import { Guest } from './guest.ts';
import type { RootImage } from './root-image.ts';

export interface Hardware {
  accelerator: Accelerator;
  memoryMb: number;
  cores: number;
  /** Whether what the guest flushes is safe from a power cut, which takes its time. */
  durable: boolean;
}

export interface MachinePlaces {
  /** Where its disk lies while it lives: the root image stays as it is. */
  disks: string;
  /** The serial console's log. */
  console: string;
}

const BOOT_LIMIT_MS = 600_000;
const SHUTDOWN_LIMIT_MS = 240_000;

/** A machine: its disk outlives `powerCut` and `boot`, until `discard`. */
export class VirtualMachine {
  readonly #image: RootImage;
  readonly #places: MachinePlaces;
  readonly #disk: string;
  #qemu: Bun.Subprocess | undefined;
  #guest: Guest | undefined;

  private constructor(image: RootImage, places: MachinePlaces, disk: string) {
    this.#image = image;
    this.#places = places;
    this.#disk = disk;
  }

  /** On top of a `kept` disk, where one is given. */
  static async create(image: RootImage, places: MachinePlaces & { kept?: string }): Promise<VirtualMachine> {
    const below =
      places.kept === undefined ? ['-F', 'raw', '-b', image.disk] : ['-F', 'qcow2', '-b', places.kept];
    const disk = join(places.disks, `${process.pid}-${crypto.randomUUID()}.qcow2`);
    await must(['qemu-img', 'create', '-q', '-f', 'qcow2', ...below, disk]);
    return new VirtualMachine(image, places, disk);
  }

  /** The inside of what was booted last. */
  get guest(): Guest {
    if (this.#guest === undefined) throw new Error('The machine was not booted');
    return this.#guest;
  }

  /** Resolves once a command can be run in it. */
  async boot(hardware: Hardware): Promise<Guest> {
    const port = await freePort();
    this.#qemu = Bun.spawn(['nice', '-n', '10', ...this.#command(hardware, port)], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    this.#guest = new Guest({ port, key: this.#image.key });
    const gone = this.#qemu.exited.then((code) => {
      throw new Error(`qemu ended with ${code}; its console: ${this.#places.console}`);
    });
    await Promise.race([this.#guest.waitUntilUp(BOOT_LIMIT_MS), gone]);
    gone.catch(() => undefined);
    return this.#guest;
  }

  /** As when the plug is pulled: what the guest has not flushed is gone. */
  async powerCut(): Promise<void> {
    this.#qemu?.kill('SIGKILL');
    await this.#qemu?.exited;
    this.#guest?.close();
    this.#qemu = undefined;
  }

  async shutDown(): Promise<void> {
    const qemu = this.#qemu;
    if (qemu === undefined) return;
    await this.#guest?.run('systemctl poweroff', { limitMs: 30_000 });
    const ended = await Promise.race([
      qemu.exited.then(() => true),
      Bun.sleep(SHUTDOWN_LIMIT_MS).then(() => false),
    ]);
    await this.powerCut();
    if (!ended) throw new Error('The machine did not shut down in time');
  }

  /** Its disk, for other machines to begin with. It was shut down, and is gone afterwards. */
  keepAs(path: string): void {
    renameSync(this.#disk, path);
  }

  async discard(): Promise<void> {
    await this.powerCut();
    rmSync(this.#disk, { force: true });
  }

  #command({ accelerator, memoryMb, cores, durable }: Hardware, port: number): string[] {
    const { kernel, initramfs } = this.#image;
    // biome-ignore format: one option and its value per pair
    return ['qemu-system-x86_64', ...accelerator, '-smp', String(cores), '-m', String(memoryMb),
      '-nodefaults', '-display', 'none', '-no-reboot',
      '-chardev', `file,id=console,path=${this.#places.console},append=on`, '-serial', 'chardev:console',
      '-kernel', kernel, '-initrd', initramfs, '-append', 'console=ttyS0 root=/dev/vda rw panic=-1',
      '-drive', `file=${this.#disk},if=virtio,format=qcow2,cache=${durable ? 'writeback' : 'unsafe'},discard=unmap`,
      '-netdev', `user,id=net,hostfwd=tcp:127.0.0.1:${port}-:22`, '-device', 'virtio-net-pci,netdev=net',
      '-device', 'virtio-rng-pci'];
  }
}

async function freePort(): Promise<number> {
  return await new Promise((done, failed) => {
    const server = createServer();
    server.on('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') return failed(new Error('no port'));
      server.close(() => done(address.port));
    });
  });
}
