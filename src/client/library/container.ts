import { EngineError } from '../../errors/engine-error.ts';
import type { ContainerPathStat } from '../../wire/path-stat.ts';
import { ApiError } from '../api-error.ts';
import { demultiplex } from '../demultiplex.ts';
import type { EngineClient } from '../engine-client.ts';
import type { ContainerInspect, ContainerStatsAnswer, WaitResult } from '../model.ts';
import { Attachment } from './attachment.ts';
import { Exec, type ExecOptions, type ExecResult } from './exec.ts';
import { extractTar } from './extract-tar.ts';
import { Output, terminalParts } from './output.ts';
import { readTarFile } from './tar-reader.ts';
import { type FileAttributes, packFile, packLocal } from './tar-writer.ts';
import { type WaitOptions, waitForHealthy, waitForLog, waitForPort } from './wait-for.ts';

export interface LogOptions {
  stdout?: boolean;
  stderr?: boolean;
  /** Go on with what is printed from now on, until the container ends. */
  follow?: boolean;
  /** That many lines from the end. */
  tail?: number;
  since?: Date;
  until?: Date;
  signal?: AbortSignal;
}

/** A container by its name or ID. */
export class Container {
  readonly id: string;
  readonly #client: EngineClient;
  readonly #disposable: boolean;

  /** @param options.disposable the end of its scope removes it: it was made to go with its process. */
  constructor(client: EngineClient, id: string, options: { disposable: boolean }) {
    this.#client = client;
    this.id = id;
    this.#disposable = options.disposable;
  }

  inspect(): Promise<ContainerInspect> {
    return this.#client.containers.inspect(this.id);
  }

  start(): Promise<void> {
    return this.#client.containers.start(this.id);
  }

  /** End it, with SIGKILL after ten seconds or `timeoutSeconds`. One that does not run is fine. */
  stop(options: { signal?: string; timeoutSeconds?: number } = {}): Promise<void> {
    const { signal, timeoutSeconds: timeout } = options;
    return this.#client.containers.stop(this.id, { timeout, ...(signal === undefined ? {} : { signal }) });
  }

  restart(options: { signal?: string; timeoutSeconds?: number } = {}): Promise<void> {
    const { signal, timeoutSeconds: timeout } = options;
    return this.#client.containers.restart(this.id, { timeout, ...(signal === undefined ? {} : { signal }) });
  }

  kill(signal = 'KILL'): Promise<void> {
    return this.#client.containers.kill(this.id, { signal });
  }

  pause(): Promise<void> {
    return this.#client.containers.pause(this.id);
  }

  unpause(): Promise<void> {
    return this.#client.containers.unpause(this.id);
  }

  /** Its exit code, as soon as it does not run. @throws EngineError "internal" when it could not be started. */
  async wait(options: { signal?: AbortSignal } = {}): Promise<number> {
    return exitCodeOf(await this.#client.containers.wait(this.id, options).result);
  }

  /** What was printed. The request is made by the first step of a loop. */
  logs(options: LogOptions = {}): Output {
    return new Output(this.#logParts(options));
  }

  async *#logParts({ stdout = true, stderr = true, tail, since, until, ...options }: LogOptions) {
    const { Config } = await this.inspect();
    const { body } = await this.#client.containers.logs(this.id, {
      stdout,
      stderr,
      tail: tail === undefined ? undefined : String(tail),
      since: since && unixSeconds(since),
      until: until && unixSeconds(until),
      ...options,
    });
    yield* Config.Tty ? terminalParts(body) : demultiplex(body);
  }

  /** Join its streams from now on; `logs`: with what was printed before. Stdin is there for a container made with it. */
  async attach(options: { logs?: boolean; signal?: AbortSignal } = {}): Promise<Attachment> {
    const { Config } = await this.inspect();
    const connection = await this.#client.containers.attach(this.id, {
      stream: true,
      stdin: Config.OpenStdin,
      stdout: true,
      stderr: true,
      ...options,
    });
    return new Attachment(connection, { tty: Config.Tty });
  }

  /** Run a command in it to its end, `input` on its stdin. An exit code that isn't 0 is no error. */
  async exec(
    command: readonly string[],
    options: ExecOptions & { input?: string | Uint8Array; maxBytes?: number } = {},
  ): Promise<ExecResult> {
    const { input, maxBytes, ...rest } = options;
    const exec = await Exec.start(this.#client, this.id, { ...rest, command, stdin: input !== undefined });
    // A command that doesn't read its input may end before it is sent.
    const sent = input === undefined ? undefined : exec.end(input).catch(() => undefined);
    const output = await exec.collect(maxBytes === undefined ? {} : { maxBytes });
    await sent;
    return {
      exitCode: await exec.exitCode(rest.signal === undefined ? {} : { signal: rest.signal }),
      ...output,
    };
  }

  /** Start a command in it, and talk to it. */
  spawn(command: readonly string[], options: ExecOptions & { stdin?: boolean } = {}): Promise<Exec> {
    const { stdin = false, ...rest } = options;
    return Exec.start(this.#client, this.id, { ...rest, command, stdin });
  }

  /** What it uses now. */
  stats(options: { signal?: AbortSignal } = {}): Promise<ContainerStatsAnswer> {
    return this.#client.containers.stats(this.id, options);
  }

  /** The same every second, until it is removed. */
  followStats(options: { signal?: AbortSignal } = {}): AsyncGenerator<ContainerStatsAnswer, void, undefined> {
    return this.#client.containers.followStats(this.id, options);
  }

  /** Where one of its ports is on the host, for `connect`. @throws EngineError "not-found" when it isn't published, or nothing runs. */
  async address(port: number, protocol = 'tcp'): Promise<{ host: string; port: number }> {
    const { NetworkSettings } = await this.inspect();
    const binding = NetworkSettings?.Ports?.[`${port}/${protocol}`]?.[0];
    if (binding === undefined)
      throw new EngineError('not-found', `No public port '${port}/${protocol}' published for ${this.id}`);
    const any = binding.HostIp === '' || binding.HostIp === '0.0.0.0' || binding.HostIp === '::';
    return { host: any ? '127.0.0.1' : binding.HostIp, port: Number(binding.HostPort) };
  }

  /** Wait for a line, among those already printed too. Resolves to it. */
  waitForLog(pattern: RegExp | string, options: WaitOptions = {}): Promise<string> {
    return waitForLog(this, pattern, options);
  }

  /** Wait until its health check has passed. */
  waitForHealthy(options: WaitOptions = {}): Promise<void> {
    return waitForHealthy(this, options);
  }

  /** Wait until a published port takes connections, and keeps them. */
  waitForPort(port: number, options: WaitOptions = {}): Promise<{ host: string; port: number }> {
    return waitForPort(this, port, options);
  }

  /** What stands at a path, a link not followed; undefined: nothing. */
  statPath(path: string): Promise<ContainerPathStat | undefined> {
    return this.#client.containers.statPath(this.id, path);
  }

  /** Write one file; its folder must be there. Mode 0644 and root's unless told otherwise. */
  writeFile(path: string, content: string | Uint8Array, attributes: FileAttributes = {}): Promise<void> {
    const slash = path.lastIndexOf('/');
    const tar = packFile(path.slice(slash + 1), content, attributes);
    return this.#client.containers.writePath(this.id, path.slice(0, slash + 1) || '/', { tar });
  }

  /** @throws ApiError 404 when it isn't there, EngineError "invalid" when it is no file, or more than `maxBytes` (64 MiB). */
  async readFile(path: string, options: { maxBytes?: number } = {}): Promise<Uint8Array> {
    const { tar } = await this.#client.containers.readPath(this.id, path);
    return await readTarFile(tar, path, options.maxBytes);
  }

  /** Copy a file or a folder of this machine into a folder of the container, under its own name or `name`. */
  copyTo(
    localPath: string,
    folder: string,
    options: { name?: string; signal?: AbortSignal } = {},
  ): Promise<void> {
    const { name, ...rest } = options;
    return this.#client.containers.writePath(this.id, folder, {
      tar: packLocal(localPath, { name }),
      ...rest,
    });
  }

  /** Copy a file or a folder to `localPath`, which must not be there yet. Owners and devices stay behind. */
  async copyFrom(path: string, localPath: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    const { tar } = await this.#client.containers.readPath(this.id, path, options);
    await extractTar(tar, localPath);
  }

  /** Remove it, running or not, with its anonymous volumes. One that is gone is fine. */
  async remove(): Promise<void> {
    try {
      await this.#client.containers.remove(this.id, { force: true, volumes: true });
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) await this.#removedByOthers(error);
    }
  }

  /** Docker answers 409 for a container that is on its way out already. */
  async #removedByOthers(error: unknown): Promise<void> {
    if (
      !(error instanceof ApiError) ||
      error.status !== 409 ||
      !/removal of container .* in progress/.test(error.message)
    )
      throw error;
    await this.#client.containers.wait(this.id, { condition: 'removed' }).result.catch(() => undefined);
  }

  /** Removes what goes with its process; leaves the others alone. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposable) await this.remove();
  }
}

function exitCodeOf(result: WaitResult): number {
  const message = result.Error?.Message;
  if (message !== undefined && message !== '') throw new EngineError('internal', message);
  return result.StatusCode;
}

function unixSeconds(time: Date): string {
  return (time.getTime() / 1000).toFixed(3);
}
