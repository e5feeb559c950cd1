import { appendFileSync } from 'node:fs';

export interface GuestResult {
  /** Both streams, in the order in which they came. */
  output: string;
  /** Standard output alone; with a terminal, everything. */
  stdout: string;
  /** The command's; 255 where the machine could not be reached, 137 past the limit. */
  code: number;
  ms: number;
}

export interface GuestCommand {
  limitMs?: number;
  stdin?: Blob | ReadableStream;
  /** On a terminal, as a person types it. */
  terminal?: boolean;
  /** What is printed goes there as it comes. */
  log?: string;
}

const MINUTE_MS = 60_000;

/** The inside of a machine that runs: commands as root, by ssh. */
export class Guest {
  readonly #command: string[];
  #closed = false;

  constructor({ port, key }: { port: number; key: string }) {
    const options = [
      'StrictHostKeyChecking=no',
      'UserKnownHostsFile=/dev/null',
      'LogLevel=ERROR',
      'BatchMode=yes',
    ]
      .concat('ConnectTimeout=60', 'ServerAliveInterval=30', 'ServerAliveCountMax=20', 'IdentitiesOnly=yes')
      .flatMap((option) => ['-o', option]);
    this.#command = ['ssh', '-F', 'none', ...options, '-i', key, '-p', String(port)];
  }

  /** What one types on the host to be in it. */
  get way(): string {
    return [...this.#command, 'root@127.0.0.1'].join(' ');
  }

  close(): void {
    this.#closed = true;
  }

  async waitUntilUp(limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      if (this.#closed) throw new Error('The machine is gone');
      // Degraded counts: a unit of Debian's that fails on this hardware is not ours to judge.
      const { stdout, code } = await this.run('systemctl is-system-running --wait || true', {
        limitMs: 5 * MINUTE_MS,
      });
      if (code === 0 && /^(running|degraded)/.test(stdout)) return;
      if (performance.now() > deadline) throw new Error(`The machine did not come up: ${stdout}`);
      await Bun.sleep(2000);
    }
  }

  /** Never rejects for what the command does. */
  async run(command: string, options: GuestCommand = {}): Promise<GuestResult> {
    const { limitMs = 10 * MINUTE_MS, stdin, terminal = false, log } = options;
    const started = performance.now();
    const child = Bun.spawn([...this.#command, ...(terminal ? ['-tt'] : []), 'root@127.0.0.1', command], {
      stdin: stdin ?? 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    let [output, stdout] = ['', ''];
    const read = async (stream: ReadableStream<Uint8Array>, isStdout: boolean) => {
      const decoder = new TextDecoder();
      for await (const chunk of stream) {
        const text = decoder.decode(chunk, { stream: true }).replaceAll('\r\n', '\n');
        output += text;
        if (isStdout) stdout += text;
        if (log !== undefined) appendFileSync(log, text);
      }
    };
    await Promise.all([read(child.stdout, true), read(child.stderr, false)]);
    return { output, stdout, code: await child.exited, ms: performance.now() - started };
  }

  /** @throws Error where it fails. */
  async must(command: string, options: GuestCommand = {}): Promise<string> {
    const { code, output, stdout } = await this.run(command, options);
    if (code !== 0)
      throw new Error(`In the machine, ${command} ended with ${code}: ${output.trim().slice(-2000)}`);
    return stdout;
  }
}
