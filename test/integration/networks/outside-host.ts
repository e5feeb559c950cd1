import { eventually, must } from '../../support/engine/command.ts';

/** A host beside the machine: a network namespace at the other end of a cable. */
export class OutsideHost {
  readonly #child: Bun.Subprocess;
  readonly #cable: string;

  private constructor(child: Bun.Subprocess, cable: string) {
    this.#child = child;
    this.#cable = cable;
  }

  /** `name`: of the cable's end on the machine; addresses with their prefix. */
  static async join(options: { name: string; machine: string[]; host: string[] }): Promise<OutsideHost> {
    const child = Bun.spawn(['unshare', '-n', 'sleep', '100000'], { stdio: ['ignore', 'ignore', 'ignore'] });
    const made = new OutsideHost(child, options.name);
    const { name } = options;
    await eventually(async () => await made.#isApart(), { what: () => 'the namespace of a host' });
    await must([
      'ip',
      'link',
      'add',
      name,
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      String(child.pid),
    ]);
    for (const address of options.machine)
      await must(['ip', 'addr', 'add', address, 'dev', name, ...noDad(address)]);
    await must(['ip', 'link', 'set', name, 'up']);
    for (const address of options.host)
      await must([...made.prefix, 'ip', 'addr', 'add', address, 'dev', 'eth0', ...noDad(address)]);
    for (const link of ['lo', 'eth0']) await must([...made.prefix, 'ip', 'link', 'set', link, 'up']);
    return made;
  }

  /** Put before a command, it runs there. */
  get prefix(): string[] {
    return ['nsenter', '-t', String(this.#child.pid), '-n'];
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#child.exited;
    await must(['ip', 'link', 'del', this.#cable]).catch(() => undefined);
  }

  async #isApart(): Promise<boolean> {
    const read = (pid: string) => must(['readlink', `/proc/${pid}/ns/net`]);
    return (await read(String(this.#child.pid))) !== (await read('self'));
  }
}

function noDad(address: string): string[] {
  return address.includes(':') ? ['nodad'] : [];
}
