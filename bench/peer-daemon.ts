import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Endpoint } from './endpoint.ts';
import { socketOwner } from './process-memory.ts';
import { waitUntil } from './wait.ts';

/** The peer's daemon, to stop and start: by a command line of the shell's that serves the same socket. It is left running. */
export class PeerDaemon {
  readonly endpoint: Endpoint;
  readonly #command: string;

  constructor(endpoint: Endpoint, command: string) {
    this.endpoint = endpoint;
    this.#command = command;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.startAgain();
  }

  async stop(): Promise<void> {
    const pid = socketOwner(this.endpoint.socketPath);
    process.kill(pid, 'SIGTERM');
    await waitUntil('The end of the peer', () => !existsSync(`/proc/${pid}`), { timeoutMs: 60_000 });
  }

  /** Start it and wait for the first answered ping. */
  async startAgain(): Promise<void> {
    spawn('sh', ['-c', `exec ${this.#command}`], { stdio: 'ignore', detached: true }).unref();
    await waitUntil('The peer', () => this.endpoint.ping(), { everyMs: 2, timeoutMs: 120_000 });
  }
}
