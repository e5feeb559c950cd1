import { join } from 'node:path';
import { EngineError, kindOf, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { Runtime, TaskHandle } from '../../runtime/runtime.ts';
import type { ContainerPaths } from '../record/container-paths.ts';
import type { ContainerRecord } from '../record/container-record.ts';
import { JOURNALD_SOCKET, JournaldConsumer } from './drivers/journald-consumer.ts';
import type { LogConsumer, LogOrigin } from './drivers/log-consumer.ts';
import { LogShipper } from './drivers/log-shipper.ts';
import { SyslogConsumer } from './drivers/syslog-consumer.ts';
import { parseSyslogOptions } from './drivers/syslog-options.ts';
import { JournalKeeper } from './journal-keeper.ts';
import { journalLimits } from './journal-limits.ts';
import { attributesText, logAttributes } from './log-attributes.ts';
import { LogFiles } from './log-files.ts';
import { driverOf, type LogConfig } from './log-options.ts';

/** What a tag's template knows of a container. */
export type LogTagRecord = Pick<ContainerRecord, 'id' | 'name' | 'config' | 'image' | 'createdNano'>;

export interface ContainerLogsOptions {
  paths: ContainerPaths;
  runtime: Pick<Runtime, 'reopenLogs'>;
  logger: Logger;
  /** For containers that say nothing of it. */
  defaults: LogConfig;
  /** Fill in a Go template. @throws Error in Go's words. */
  renderTag: (template: string, record: LogTagRecord) => string;
  journaldSocket?: string;
}

const DRAIN_MS = 10_000;
const DEFAULT_TAG = '{{.ID}}';

/** The logs of all containers: their journals held to their limits, and handed on to those drivers that are not files. */
export class ContainerLogs {
  readonly #options: ContainerLogsOptions;
  readonly #keeper: JournalKeeper;
  readonly #shippers = new Map<string, LogShipper>();
  /** Made at a start that is under way. */
  readonly #consumers = new Map<string, LogConsumer>();

  constructor(options: ContainerLogsOptions) {
    this.#options = options;
    this.#keeper = new JournalKeeper(options.logger);
  }

  get defaults(): LogConfig {
    return this.#options.defaults;
  }

  /** What `--details` shows; '' for options that can't be read, which a start tells of. */
  attributes(record: ContainerRecord): string {
    try {
      return attributesText(this.#attributesOf(record));
    } catch {
      return '';
    }
  }

  /**
   * Before a start: where the monitor is to write, and for a driver that takes lines elsewhere, that somebody is there. Undefined: nowhere.
   *
   * @throws EngineError "invalid", in Docker's words, for options that make no sense and consumers that are not there.
   */
  async prepare(record: ContainerRecord): Promise<string | undefined> {
    try {
      const { logConfig } = record.host;
      const isKept = journalLimits(logConfig) !== undefined;
      const attributes = this.#attributesOf(record);
      const driver = driverOf(logConfig);
      if (driver === 'journald' || driver === 'syslog') {
        const earlier = this.#consumers.get(record.id);
        this.#consumers.set(record.id, await this.#consumerOf(record, attributes, { check: true }));
        earlier?.close();
      } else if (!isKept) return undefined;
      return this.#options.paths.log(record.id);
    } catch (error) {
      throw new EngineError(
        kindOf(error) === 'internal' ? 'invalid' : kindOf(error),
        `failed to create task for container: failed to initialize logging driver: ${messageOf(error)}`,
        { cause: error },
      );
    }
  }

  /** A start that was prepared is under way; the result is told how much output comes. */
  follow(record: ContainerRecord, handle: TaskHandle): (bytes: number) => void {
    const journal = this.#journalOf(record, handle);
    const consumer = this.#consumers.get(record.id);
    this.#consumers.delete(record.id);
    if (consumer !== undefined) this.#ship(record, consumer);
    return journal === undefined ? () => undefined : this.#keeper.follow(journal);
  }

  /** At the daemon's start, for each container; `handle` of those that run. */
  async recover(record: ContainerRecord, handle: TaskHandle | undefined): Promise<void> {
    const driver = driverOf(record.host.logConfig);
    try {
      const journal = this.#journalOf(record, handle);
      if (journal !== undefined) await this.#keeper.recover(journal);
      if (record.generation === 0 || (driver !== 'journald' && driver !== 'syslog')) return;
      this.#ship(record, await this.#consumerOf(record, this.#attributesOf(record), { check: false }));
      if (handle === undefined) void this.#finish(record.id, DRAIN_MS);
    } catch (error) {
      this.#options.logger.warn('Cannot take up the log of a container', {
        container: record.id,
        error: messageOf(error),
      });
    }
  }

  /** A container's run has ended, or did not come about. */
  ended(id: string): void {
    this.#keeper.ended(id);
    this.#consumers.get(id)?.close();
    this.#consumers.delete(id);
    void this.#finish(id, DRAIN_MS);
  }

  /** Before its files go: what is still to be handed on is, within some seconds; then nothing touches them any more. */
  async forget(id: string): Promise<void> {
    await this.#finish(id, DRAIN_MS);
    await this.#keeper.forget(id);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#shippers.values()].map((shipper) => shipper.stop()));
    await this.#keeper.close();
  }

  #journalOf(record: ContainerRecord, handle: TaskHandle | undefined) {
    const { id } = record;
    const limits = limitsOf(record);
    if (limits === undefined) return undefined;
    const reopen = handle === undefined ? undefined : () => this.#options.runtime.reopenLogs(handle);
    return { id, path: this.#options.paths.log(id), limits, reopen };
  }

  #ship({ id }: ContainerRecord, consumer: LogConsumer): void {
    const { paths, logger } = this.#options;
    const earlier = this.#shippers.get(id);
    if (earlier !== undefined) {
      // It goes on with what comes, by its own connection.
      consumer.close();
      return;
    }
    const files = new LogFiles(paths.log(id));
    const placePath = join(paths.directory(id), 'shipped');
    this.#shippers.set(id, new LogShipper({ files, placePath, consumer, logger, containerId: id }));
  }

  async #finish(id: string, timeoutMs: number): Promise<void> {
    const shipper = this.#shippers.get(id);
    if (shipper === undefined) return;
    await shipper.finish(timeoutMs);
    if (this.#shippers.get(id) === shipper) this.#shippers.delete(id);
  }

  async #consumerOf(
    record: ContainerRecord,
    attributes: ReadonlyMap<string, string>,
    { check }: { check: boolean },
  ): Promise<LogConsumer> {
    const { logConfig } = record.host;
    const tag = this.#tagOf(record, DEFAULT_TAG);
    if (driverOf(logConfig) === 'syslog') {
      const options = parseSyslogOptions(logConfig.config);
      return check ? await SyslogConsumer.open(options, tag) : SyslogConsumer.later(options, tag);
    }
    const consumer = new JournaldConsumer(
      originOf(record, tag, attributes),
      this.#options.journaldSocket ?? JOURNALD_SOCKET,
    );
    if (check) consumer.check();
    return consumer;
  }

  #attributesOf(record: ContainerRecord): Map<string, string> {
    const isFile = driverOf(record.host.logConfig) === 'json-file';
    const tag = isFile ? this.#tagOf(record, '') : '';
    return logAttributes(record.config, record.host.logConfig, tag);
  }

  #tagOf(record: ContainerRecord, otherwise: string): string {
    const template = record.host.logConfig.config['tag'] || otherwise;
    return template === '' ? '' : this.#options.renderTag(template, record);
  }
}

/** Options that make no sense keep a container from its start, and nothing else. */
function limitsOf(record: ContainerRecord): ReturnType<typeof journalLimits> {
  const { logConfig } = record.host;
  try {
    const driver = driverOf(logConfig);
    const isShipped = driver === 'journald' || driver === 'syslog';
    // Lines on their way elsewhere are kept until they are there, whoever else may read them.
    return journalLimits(
      isShipped ? { ...logConfig, config: withoutDisabling(logConfig.config) } : logConfig,
    );
  } catch {
    return undefined;
  }
}

function withoutDisabling(config: LogConfig['config']): LogConfig['config'] {
  return { ...config, 'cache-disabled': 'false' };
}

function originOf(record: ContainerRecord, tag: string, attributes: ReadonlyMap<string, string>): LogOrigin {
  return {
    containerId: record.id,
    containerName: record.name,
    imageName: record.config.image,
    tag,
    attributes,
  };
}
