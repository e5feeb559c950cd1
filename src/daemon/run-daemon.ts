import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Lifelines } from '../containers/lifelines/lifelines.ts';
import { messageOf } from '../errors/engine-error.ts';
import type { Logger } from '../errors/logger.ts';
import { ApiServer } from '../server/api-server.ts';
import { parseListenAddress } from '../server/listen-address.ts';
import { type FileLock, lockFile } from '../storage/file-lock.ts';
import { openFileLimit } from '../sys/host.ts';
import { dropProgramPages } from '../sys/program-pages.ts';
import { type Notify, takeNotifySocket } from '../sys/sd-notify.ts';
import { LIFELINE_KEY } from '../wire/lifeline.ts';
import { buildInfo } from './build-info.ts';
import { createLogger } from './daemon-logger.ts';
import { type DaemonSettings, reloadRegistries } from './daemon-settings.ts';
import { serveEmbeddedRegistry } from './embedded-registry/embedded-registry.ts';
import { Engine } from './engine.ts';
import { IdleRelease } from './idle-release.ts';
import { makeDataRoot } from './make-data-root.ts';
import { serveMetrics } from './metrics/serve-metrics.ts';
import { openBuildkit } from './open-buildkit.ts';
import { writePidFile } from './pid-file.ts';
import { RegistryService } from './registry-service.ts';
import { logStrayErrors } from './stray-errors.ts';
import { engineId, SystemService } from './system-service.ts';

/**
 * The daemon from its locks to its listeners, in the engine's mount namespace already. Resolves once it serves.
 *
 * What each step has set up is undone in reverse at the end.
 */
export async function runDaemon(settings: DaemonSettings, args: readonly string[]): Promise<void> {
  const logger = createLogger({
    level: settings.debug ? 'debug' : settings.logLevel,
    format: settings.logFormat,
  });
  for (const warning of settings.warnings) logger.warn(warning);
  logStrayErrors(process, logger);
  const notify = takeNotifySocket();
  const closers: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (let closer = closers.pop(); closer !== undefined; closer = closers.pop()) await closer();
  };
  try {
    const locks = await lockRoots(settings);
    closers.push(() => locks.forEach((lock) => lock.release()));
    const pidFile = writePidFile(settings.pidFile);
    closers.push(() => pidFile.remove());
    const engine = await Engine.open(settings, logger);
    closers.push(() => engine.close());
    if (settings.embeddedRegistry !== undefined) {
      const registry = await serveEmbeddedRegistry(settings.embeddedRegistry, engine, logger);
      closers.push(() => registry.close());
    }
    const id = await engineId(join(settings.dataRoot, 'engine-id'));
    const served =
      settings.metrics === undefined ? undefined : await serveMetrics(settings.metrics, engine, id);
    if (served !== undefined) closers.push(() => served.close());
    const system = new SystemService(engine, settings, id);
    const { dataRoot } = settings;
    const { builder } = engine;
    const hostGatewayIp = () => engine.networks.hostGateway([]);
    const buildkit = await openBuildkit({ dataRoot, builder, engineId: id, hostGatewayIp, logger });
    closers.push(() => buildkit.close());
    const { containers, volumes } = engine;
    const lifelines = new Lifelines({ key: LIFELINE_KEY, containers, volumes, logger });
    const server = new ApiServer(
      {
        buildkit,
        containers: engine.containers,
        execs: engine.containers.execs,
        images: engine.images,
        lifelines,
        builder: engine.builder,
        networks: engine.networkService,
        volumes: engine.volumes,
        registry: new RegistryService(engine.registry, settings),
        system,
      },
      {
        build: buildInfo,
        logger,
        maxConnections: connectionLimit(settings.hosts.length),
        ...(served === undefined ? {} : { observe: (call) => served.metrics.observe(call) }),
      },
    );
    closers.push(() => server.close());
    // Closed before the server lets its clients go.
    closers.push(() => lifelines.close());
    await lifelines.recover();
    if (settings.isTcpOpen && settings.hosts.some((host) => host.startsWith('tcp:')))
      logger.warn('TCP without TLS: whoever reaches it is root on this machine');
    for (const host of settings.hosts)
      logger.info('API listen on', { address: await server.listen(listenAddress(host, settings)) });
    const idle = new IdleRelease({ cpuMs, release: releaseMemory });
    closers.push(() => idle.close());
    idle.start();
    onSignals(close, { logger, notify, reloaded: () => reload(engine, args, { logger, notify }) });
    notify('READY=1');
    logger.info('Daemon has completed initialization', {
      driver: engine.snapshotter.driver,
      version: buildInfo.version,
    });
  } catch (error) {
    await close();
    throw error;
  }
}

/** Half of the descriptors are left for the engine's work: without any, its own runtime ends the process. */
function connectionLimit(listeners: number): number {
  return Math.max(16, Math.floor(openFileLimit() / 2 / Math.max(1, listeners)));
}

async function lockRoots(settings: DaemonSettings): Promise<FileLock[]> {
  await makeDataRoot(settings.dataRoot);
  await mkdir(settings.execRoot, { recursive: true, mode: 0o711 });
  const data = lockFile(join(settings.dataRoot, 'lock'), 'the data root');
  try {
    return [data, lockFile(join(settings.execRoot, 'lock'), 'the exec root')];
  } catch (error) {
    data.release();
    throw error;
  }
}

function listenAddress(host: string, settings: DaemonSettings): ReturnType<typeof parseListenAddress> {
  const { tls, group, isTcpOpen } = settings;
  if (tls === undefined) return parseListenAddress(host, { group, insecure: isTcpOpen });
  const clientCa = tls.verify ? readFileSync(tls.caCert) : undefined;
  return parseListenAddress(host, {
    group,
    tls: { cert: readFileSync(tls.cert), key: readFileSync(tls.key), clientCa },
  });
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * Measured after a pull and 150 runs: the collection gives back 5 MB, much of it code compiled for what is over; the program's pages are
 * 47 MB, of which the next request maps 13 again, in 2 ms.
 */
function releaseMemory(): void {
  Bun.gc(true);
  dropProgramPages();
}

interface Telling {
  logger: Logger;
  notify: Notify;
}

function onSignals(
  close: () => Promise<void>,
  { logger, notify, reloaded }: Telling & { reloaded: () => void },
): void {
  let ending = false;
  const end = (signal: string) => {
    if (ending) return;
    ending = true;
    logger.info('Processing signal', { signal });
    notify('STOPPING=1');
    void close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error('Shutdown failed', { error: messageOf(error) });
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => end('terminated'));
  process.on('SIGINT', () => end('interrupt'));
  process.on('SIGHUP', reloaded);
}

function reload(engine: Engine, args: readonly string[], { logger, notify }: Telling): void {
  notify('RELOADING=1');
  try {
    const settings = reloadRegistries(args);
    engine.reload(settings);
    const { registryMirrors, insecureRegistries, registries } = settings;
    logger.info('Reloaded configuration', {
      mirrors: registryMirrors.join(' '),
      insecure: insecureRegistries.join(' '),
      registries: JSON.stringify(registries),
    });
    engine.events.publish({
      type: 'daemon',
      action: 'reload',
      actorId: 'sampan',
      attributes: {
        'insecure-registries': JSON.stringify(insecureRegistries),
        'registry-mirrors': JSON.stringify(registryMirrors),
        registries: JSON.stringify(registries),
      },
    });
  } catch (error) {
    logger.error('Cannot reload the configuration; the old one stays', { error: messageOf(error) });
  }
  notify('READY=1');
}
