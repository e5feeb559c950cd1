import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EngineEvent } from '../events/event.ts';
import { blobsOf } from '../images/store/image-record.ts';
import { DEFAULT_DOMAIN } from '../oci/reference.ts';
import type { RegistryCredentials } from '../registry/client/registry-client.ts';
import { appArmorHost } from '../runtime/spec/apparmor.ts';
import type { EventRequest, SystemBackend, SystemInfo } from '../server/system-backend.ts';
import { diskImageWarning } from '../snapshots/disk-image.ts';
import { writeFileAtomic } from '../storage/atomic-file.ts';
import { cgroupWarnings, readCgroupFacts, readCgroupHost } from '../sys/cgroup.ts';
import { nowNano } from '../sys/clock.ts';
import { readHostFacts } from '../sys/host.ts';
import type { DoctorReport } from '../wire/doctor.ts';
import type { DaemonSettings } from './daemon-settings.ts';
import { accountDisk } from './disk-accounting.ts';
import type { Engine } from './engine.ts';
import { shownProxy } from './proxy-environment.ts';

/** Facts and events of one daemon, for `/info` and `/events`. */
export class SystemService implements SystemBackend {
  readonly #engine: Engine;
  readonly #settings: DaemonSettings;
  readonly #id: string;
  readonly #startedNano = nowNano();

  constructor(engine: Engine, settings: DaemonSettings, id: string) {
    this.#engine = engine;
    this.#settings = settings;
    this.#id = id;
  }

  async info(): Promise<SystemInfo> {
    const { containers, images, snapshotter, chosen, runtime, events, registry, networks, idMap } =
      this.#engine;
    const { insecure } = registry.config();
    const known = await registry.known();
    const registries = known.registries.map((entry) => ({
      ...entry,
      mirrors: entry.mirrors.map((mirror) => `${mirror}/`),
    }));
    const runtimeInfo = await runtime.info();
    const host = readHostFacts();
    const diskWarnings =
      chosen.storage.ownDisk === undefined ? [] : [diskImageWarning(join(this.#settings.dataRoot, 'layers'))];
    const limits = readCgroupFacts(readCgroupHost());
    const { proxy, labels, containerLog, cdiFolders, debug, dataRoot } = this.#settings;
    return {
      id: this.#id,
      name: host.hostname,
      dataRoot,
      driver: snapshotter.driver,
      driverStatus: [
        ['Backing Filesystem', snapshotter.driver === 'erofs' ? 'erofs on overlay' : 'directories'],
      ],
      containers: containers.counts(),
      images: images.count(),
      cgroupDriver: runtimeInfo.cgroupDriver,
      cgroupVersion: runtimeInfo.cgroupVersion,
      kernelVersion: host.kernelVersion,
      operatingSystem: host.operatingSystem,
      osVersion: host.osVersion,
      architecture: host.architecture,
      cpus: host.cpus,
      memoryBytes: host.memoryBytes,
      runtimes: { [runtimeInfo.name]: { path: runtimeInfo.path } },
      defaultRuntime: runtimeInfo.name,
      runtimeCommit: runtimeInfo.commit,
      securityOptions: [
        ...(appArmorHost.enabled && appArmorHost.hasProfiles ? ['name=apparmor'] : []),
        'name=seccomp,profile=builtin',
        ...(idMap === undefined ? [] : ['name=userns']),
        ...(runtimeInfo.cgroupVersion === '2' ? ['name=cgroupns'] : []),
      ],
      registryMirrors: registries.find(({ name }) => name === DEFAULT_DOMAIN)?.mirrors ?? [],
      insecureRegistries: insecure,
      registries,
      labels,
      loggingDriver: containerLog.type,
      cdiFolders,
      warnings: [
        ...new Set([
          ...runtimeInfo.warnings,
          ...cgroupWarnings(limits),
          ...networks.warnings(),
          ...[...diskWarnings, ...known.warnings].map((warning) => `WARNING: ${warning}`),
        ]),
      ],
      debug,
      ...limits,
      ipv4Forwarding: host.ipv4Forwarding,
      httpProxy: shownProxy(proxy.http),
      httpsProxy: shownProxy(proxy.https),
      noProxy: proxy.no ?? '',
      eventListeners: events.listeners,
      fileDescriptors: readdirSync('/proc/self/fd').length,
      startedNano: this.#startedNano,
      components: [
        { name: runtimeInfo.name, version: runtimeInfo.version, details: { GitCommit: runtimeInfo.commit } },
        { name: 'conmon', version: runtimeInfo.monitorVersion, details: {} },
      ],
    };
  }

  stopContainers(): Promise<void> {
    return this.#engine.containers.stopAll();
  }

  async doctor({ signal }: { signal: AbortSignal }): Promise<DoctorReport> {
    // Rarely called, and much to load.
    const { diagnose } = await import('./doctor/diagnose.ts');
    const { runningSubject } = await import('./doctor/running-subject.ts');
    return await diagnose(runningSubject(this.#engine, this.#settings), signal);
  }

  async diskUsage(): Promise<{ owners: ReadonlyMap<string, number> }> {
    const { embeddedRegistry, images } = this.#engine;
    const { content, store } = images.rooms();
    const imaged = new Set(store.images().flatMap(blobsOf));
    const files = embeddedRegistry
      .roots()
      .blobs.flatMap((blob) => (imaged.has(blob) ? [] : [content.path(blob)]));
    return { owners: await accountDisk(this.#settings.dataRoot, new Set(files)) };
  }

  async events(request: EventRequest, options: { signal: AbortSignal }): Promise<AsyncIterable<EngineEvent>> {
    return this.#engine.events.subscribe(request, options.signal);
  }

  authenticate(
    credentials: RegistryCredentials,
    options: { signal: AbortSignal; tlsVerify?: boolean | undefined },
  ): Promise<{ status: string; identityToken: string }> {
    return this.#engine.registry.login().login(credentials, options);
  }
}

/** The daemon's own id, made once and kept in the data root. */
export async function engineId(path: string): Promise<string> {
  const known = await readFile(path, 'utf8').catch(() => '');
  if (/^[0-9a-f-]{36}\n$/.test(known)) return known.trim();
  const id = randomUUID();
  await mkdir(dirname(path), { recursive: true });
  await writeFileAtomic(path, `${id}\n`);
  return id;
}
