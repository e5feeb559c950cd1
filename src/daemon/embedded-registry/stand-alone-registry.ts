import type { ParsedFlags } from '../../cli/flags/flag-set.ts';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import { OwnBlobCollector } from '../../registry/server/blob-collector.ts';
import { collectGarbage } from '../../registry/server/gc/collect-garbage.ts';
import { takeNotifySocket } from '../../sys/sd-notify.ts';
import { parseDuration } from '../../wire/time.ts';
import { createLogger } from '../daemon-logger.ts';
import { proxyOf } from '../proxy-environment.ts';
import { logStrayErrors } from '../stray-errors.ts';
import { byteSize, isLoopback, proxyOptions } from './embedded-settings.ts';
import { type ControlPorts, serveControl } from './registry-control.ts';
import { openRegistryRoot } from './registry-root.ts';
import { type RegistryOptions, startRegistry } from './start-registry.ts';

/** An upload that nobody went on with. */
const INGEST_AGE_MS = 24 * 3600_000;
const GRACE_MS = 3600_000;
/** setInterval counts in 32 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Serve a registry's folder until a signal. */
export async function serveStandAlone(flags: ParsedFlags): Promise<void> {
  const options = serveOptions(flags);
  const format = flags.string('log-format');
  if (format !== 'text' && format !== 'json')
    throw new EngineError('invalid', `invalid log format: ${format}`);
  const logger = createLogger({ level: flags.bool('debug') ? 'debug' : 'info', format });
  logStrayErrors(process, logger);
  const root = await openRegistryRoot(flags.string('root'));
  if (root.isShared)
    throw new EngineError('conflict', `${root.path} belongs to an engine, which serves it itself`, {
      hint: 'Start the engine with --embedded-registry, or give another --root.',
    });
  const notify = takeNotifySocket();
  const keeper = new OwnBlobCollector(root.content, () => root.pushed.digests().union(root.cached.digests()));
  await root.content.sweepIngests(INGEST_AGE_MS);
  await keeper.releaseUnnamed();
  const client = {
    mirrors: [],
    registries: {},
    insecure: [],
    certsDirectories: [flags.string('certs-dir')],
    userAgent: 'sampan',
    proxy: proxyOf(),
  };
  const running = await startRegistry(options, { root, keeper, client, logger });
  const ports = { root, keeper, logger };
  const control = await serveControl(ports);
  const timer = collectEvery(flags, ports);
  warnOfExposure(options, logger);
  logger.info('registry listens', { url: running.url, root: root.path, writable: options.writable });
  notify('READY=1');
  await untilSignal();
  notify('STOPPING=1');
  clearInterval(timer);
  await control.close();
  await running.close();
  root.release();
  process.exit(0);
}

/** @throws EngineError "invalid", naming the flag. */
export function serveOptions(flags: ParsedFlags): RegistryOptions {
  const text = (name: string) => flags.string(name) || undefined;
  const htpasswd = text('htpasswd');
  if (flags.bool('writable') && flags.bool('read-only'))
    throw new EngineError('invalid', '--writable and --read-only exclude each other');
  if (flags.bool('anonymous-read') && htpasswd === undefined)
    throw new EngineError('invalid', '--anonymous-read needs --htpasswd');
  const proxy = proxyOptions({
    url: flags.string('proxy'),
    credentialsFile: flags.string('proxy-credentials'),
    maxSize: flags.string('max-size'),
  });
  return {
    ...listenAddress(flags.string('addr')),
    // Users may push, nobody else may unless it was said.
    writable: !flags.bool('read-only') && (flags.bool('writable') || htpasswd !== undefined),
    htpasswd,
    anonymousRead: flags.bool('anonymous-read'),
    tls: tlsPaths(text),
    proxy,
    publicUrl: publicUrl(text('public-url')),
    relativeUrls: flags.bool('relative-urls'),
    maxBlobBytes: byteSize(flags.string('max-blob-size')),
  };
}

function tlsPaths(text: (name: string) => string | undefined): RegistryOptions['tls'] {
  const [cert, key, clientCa] = [text('tls-cert'), text('tls-key'), text('tls-client-ca')];
  if (cert === undefined && key === undefined && clientCa === undefined) return undefined;
  if (cert === undefined || key === undefined)
    throw new EngineError('invalid', 'TLS needs --tls-cert and --tls-key');
  return { cert, key, clientCa };
}

function listenAddress(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  if (port !== '' && Number(port) <= 65535)
    return { host: host.replace(/^\[(.*)\]$/, '$1') || '0.0.0.0', port: Number(port) };
  throw new EngineError('invalid', `invalid --addr ${JSON.stringify(text)}: expected host:port`);
}

function publicUrl(text: string | undefined): string | undefined {
  const url = text === undefined ? undefined : URL.parse(text);
  if (url === undefined || (url !== null && /^https?:$/.test(url.protocol))) return text;
  throw new EngineError(
    'invalid',
    `invalid --public-url ${JSON.stringify(text)}: expected an http or https URL`,
  );
}

function warnOfExposure({ host, tls, htpasswd, writable }: RegistryOptions, logger: Logger): void {
  if (isLoopback(host)) return;
  if (writable && htpasswd === undefined && tls?.clientCa === undefined)
    logger.warn('anybody who can connect can push: give --htpasswd or --tls-client-ca');
  if (htpasswd !== undefined && tls === undefined)
    logger.warn('passwords are sent in the clear: give --tls-cert and --tls-key');
}

/** Undefined: never. */
function collectEvery(
  flags: ParsedFlags,
  { root, keeper, logger }: ControlPorts,
): ReturnType<typeof setInterval> | undefined {
  const everyMs = Number((parseDuration(flags.string('gc-interval')) ?? 0n) / 1_000_000n);
  if (everyMs <= 0) return undefined;
  const ports = { store: root.content, index: root.pushed, keeper, logger };
  const collect = async () => {
    await root.content.sweepIngests(INGEST_AGE_MS);
    const { repositories, unnamedBytes } = await collectGarbage(ports, {
      dryRun: false,
      untagged: false,
      graceMs: GRACE_MS,
    });
    logger.info('collected garbage', { repositories: repositories.length, bytes: unnamedBytes });
  };
  const run = () => {
    collect().catch((error: unknown) => logger.warn('cannot collect garbage', { reason: messageOf(error) }));
  };
  return setInterval(run, Math.min(everyMs, MAX_TIMER_MS));
}

async function untilSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    process.on('SIGTERM', () => resolve());
    process.on('SIGINT', () => resolve());
  });
}
