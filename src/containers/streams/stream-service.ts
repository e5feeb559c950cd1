import { EngineError } from '../../errors/engine-error.ts';
import type {
  AttachClient,
  AttachRequest,
  ContainerBackend,
  LogAnswer,
  LogRequest,
  WaitCondition,
  WaitResult,
} from '../container-backend.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { ContainerDependencies } from '../dependencies.ts';
import type { LiveContainer } from '../live-container.ts';
import { journalLimits } from '../logs/journal-limits.ts';
import { LogFiles } from '../logs/log-files.ts';
import { type LogSource, readLog } from '../logs/read-log.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import type { ContainerIndex } from '../record/container-store.ts';
import { DEFAULT_DETACH_KEYS, untilDetached } from './detach-keys.ts';

/** What goes on for as long as a container, or its client, does: attached clients, logs being followed, waits for its end. */
export class StreamService implements Pick<ContainerBackend, 'attach' | 'logs' | 'wait'> {
  readonly #deps: Pick<ContainerDependencies, 'events' | 'logs' | 'paths'>;
  readonly #index: ContainerIndex<LiveContainer>;

  constructor(
    deps: Pick<ContainerDependencies, 'events' | 'logs' | 'paths'>,
    index: ContainerIndex<LiveContainer>,
  ) {
    this.#deps = deps;
    this.#index = index;
  }

  async attach(
    nameOrId: string,
    request: AttachRequest,
    connect: (options: { tty: boolean }) => AttachClient,
  ): Promise<void> {
    const container = this.#index.resolve(nameOrId);
    const { config } = container.record;
    if (container.task?.paused)
      throw new EngineError(
        'conflict',
        `container ${nameOrId} is paused, unpause the container before attach`,
      );
    if (container.pendingRestart !== undefined)
      throw new EngineError(
        'conflict',
        `container ${nameOrId} is restarting, wait until the container is running before attach`,
      );
    const client = connect({ tty: config.tty });
    publishContainerEvent(this.#deps.events, container.record, 'attach');
    if (request.logs) await this.#sendLog(container, request, client);
    if (!request.stream) return;
    const detach = new AbortController();
    const keys = request.detachKeys ?? DEFAULT_DETACH_KEYS;
    const onDetach = () => {
      publishContainerEvent(this.#deps.events, container.record, 'detach');
      detach.abort();
    };
    const member: AttachClient = {
      stdin: config.tty && keys.length > 0 ? untilDetached(client.stdin, keys, onDetach) : client.stdin,
      write: (stream, data) => client.write(stream, data),
      signal: AbortSignal.any([client.signal, detach.signal]),
    };
    const stdin = request.stdin && config.openStdin;
    const closeStdin = config.stdinOnce && !config.tty;
    await container.hub.join(member, { stdin, stdout: request.stdout, stderr: request.stderr, closeStdin });
  }

  async logs(nameOrId: string, request: LogRequest, options: { signal: AbortSignal }): Promise<LogAnswer> {
    const container = this.#index.resolve(nameOrId);
    if (!request.stdout && !request.stderr)
      throw new EngineError('invalid', 'Bad parameters: you must choose at least one stream');
    if (!isReadable(container.record))
      throw new EngineError('not-implemented', 'configured logging driver does not support reading');
    const ended = container.task?.ended.promise ?? Promise.resolve();
    const batches = readLog(this.#logOf(container, ended), request, options.signal);
    return {
      tty: container.record.config.tty,
      attributes: this.#deps.logs.attributes(container.record),
      batches,
    };
  }

  async wait(
    nameOrId: string,
    condition: WaitCondition,
    options: { signal: AbortSignal },
  ): Promise<{ result: Promise<WaitResult> }> {
    const container = this.#index.resolve(nameOrId);
    if (condition === 'removed') return { result: container.removed.wait(options.signal) };
    if (condition === 'not-running' && !container.isUp)
      return { result: Promise.resolve(container.lastResult) };
    return { result: container.nextExit.wait(options.signal) };
  }

  async #sendLog(container: LiveContainer, request: AttachRequest, client: AttachClient): Promise<void> {
    const { stdout, stderr } = request;
    const all = {
      stdout,
      stderr,
      follow: false,
      sinceNano: undefined,
      untilNano: undefined,
      tail: undefined,
    };
    const source = this.#logOf(container, Promise.resolve());
    for await (const lines of readLog(source, all, client.signal))
      for (const line of lines) await client.write(line.stream, line.data);
  }

  #logOf({ id }: LiveContainer, ended: Promise<void>): LogSource {
    return { files: new LogFiles(this.#deps.paths.log(id)), ended };
  }
}

/** A log that no options make sense of was never begun. */
function isReadable({ host }: ContainerRecord): boolean {
  try {
    return journalLimits(host.logConfig) !== undefined;
  } catch {
    return true;
  }
}
