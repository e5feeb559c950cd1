import type { ApiCall } from '../../server/server-options.ts';
import { Exposition, Histogram } from './exposition.ts';

/** What is asked for only when somebody looks. */
export interface EngineFacts {
  containers: { running: number; paused: number; stopped: number };
  images: number;
  /** Events since the start, by type and action. */
  events: ReadonlyMap<string, number>;
  eventListeners: number;
  garbage: { collections: number; freedBytes: number; seconds: number };
  /** Network namespaces that were ready when they were needed, and those that had to be made. */
  namespaces: Readonly<{ ready: number; made: number }>;
  openFiles: number;
  residentBytes: number;
  cpuSeconds: number;
  startedSeconds: number;
  info: Readonly<Record<string, string>>;
  cpus: number;
  memoryBytes: number;
}

/** Calls that Docker counts as a container's, by method and route. */
const CONTAINER_ACTIONS: ReadonlyMap<string, string> = new Map([
  ['POST /containers/create', 'create'],
  ['POST /containers/{}/start', 'start'],
  ['DELETE /containers/{}', 'delete'],
  ['GET /containers/{}/changes', 'changes'],
  ['POST /commit', 'commit'],
]);
/** Where starts lie, between the kernel's own time and what a user notices. */
const START_BOUNDS = [0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10];

/** Counts what the API does, and tells it with what the engine knows, under Docker's names where it has some. */
export class EngineMetrics {
  readonly #actions = new Histogram();
  readonly #starts = new Histogram(START_BOUNDS);
  readonly #calls = new Map<
    string,
    { call: Pick<ApiCall, 'method' | 'pattern' | 'failed'>; count: number }
  >();

  constructor() {
    for (const action of CONTAINER_ACTIONS.values()) this.#actions.declare({ action });
    this.#starts.declare({});
  }

  /** For each call of the API, at its end. */
  observe({ method, pattern, failed, seconds }: ApiCall): void {
    const key = `${failed} ${method} ${pattern}`;
    const calls = this.#calls.get(key) ?? { call: { method, pattern, failed }, count: 0 };
    calls.count++;
    this.#calls.set(key, calls);
    const action = failed ? undefined : CONTAINER_ACTIONS.get(`${method} ${pattern}`);
    if (action === undefined) return;
    this.#actions.observe({ action }, seconds);
    if (action === 'start') this.#starts.observe({}, seconds);
  }

  text(facts: EngineFacts): string {
    const into = new Exposition();
    this.#writeDockers(into, facts);
    this.#writeOurs(into, facts);
    writeProcess(into, facts);
    return into.toString();
  }

  #writeDockers(into: Exposition, facts: EngineFacts): void {
    const { containers, events } = facts;
    const total = [...events.values()].reduce((sum, count) => sum + count, 0);
    this.#actions.write(
      into,
      'engine_daemon_container_actions_seconds',
      'The number of seconds it takes to process each container action',
    );
    into.gauge(
      'engine_daemon_container_states_containers',
      'The count of containers in various states',
      (['paused', 'running', 'stopped'] as const).map((state) => ({
        labels: { state },
        value: containers[state],
      })),
    );
    into.gauge(
      'engine_daemon_engine_cpus_cpus',
      'The number of cpus that the host system of the engine has',
      [{ value: facts.cpus }],
    );
    into.gauge(
      'engine_daemon_engine_info',
      'The information related to the engine and the OS it is running on',
      [{ labels: facts.info, value: 1 }],
    );
    into.gauge(
      'engine_daemon_engine_memory_bytes',
      'The number of bytes of memory that the host system of the engine has',
      [{ value: facts.memoryBytes }],
    );
    into.counter('engine_daemon_events_total', 'The number of events logged', [{ value: total }]);
    into.gauge('engine_daemon_events_subscribers_total', 'The number of current subscribers to events', [
      { value: facts.eventListeners },
    ]);
  }

  #writeOurs(into: Exposition, { events, garbage, images, namespaces }: EngineFacts): void {
    this.#starts.write(into, 'sampan_container_start_seconds', 'How long POST /containers/{id}/start took');
    into.counter(
      'sampan_api_requests_total',
      'Calls of the API that have ended',
      [...this.#calls.values()].map(({ call: { method, pattern, failed }, count }) => ({
        labels: { method, route: pattern, outcome: failed ? 'error' : 'ok' },
        value: count,
      })),
    );
    into.counter(
      'sampan_events_total',
      'Events by type and action',
      [...events].map(([key, value]) => {
        const [type = '', action = ''] = key.split(' ');
        return { labels: { type, action }, value };
      }),
    );
    into.counter('sampan_image_pulls_total', 'Images that were pulled', [
      { value: events.get('image pull') ?? 0 },
    ]);
    into.gauge('sampan_images', 'Images that are here', [{ value: images }]);
    into.counter('sampan_gc_collections_total', 'Collections of blobs and layers that nothing refers to', [
      { value: garbage.collections },
    ]);
    into.counter('sampan_gc_freed_bytes_total', 'What those collections have freed', [
      { value: garbage.freedBytes },
    ]);
    into.counter('sampan_gc_seconds_total', 'How long those collections took', [{ value: garbage.seconds }]);
    into.counter(
      'sampan_network_namespaces_total',
      'Network namespaces that containers got: made ahead of need, or when they were needed',
      [
        { labels: { source: 'ready' }, value: namespaces.ready },
        { labels: { source: 'made' }, value: namespaces.made },
      ],
    );
  }
}

/** Under the names that Prometheus' clients have for every process. */
function writeProcess(into: Exposition, facts: EngineFacts): void {
  into.counter('process_cpu_seconds_total', 'CPU time of the daemon', [{ value: facts.cpuSeconds }]);
  into.gauge('process_open_fds', 'File descriptors of the daemon', [{ value: facts.openFiles }]);
  into.gauge('process_resident_memory_bytes', 'Memory of the daemon', [{ value: facts.residentBytes }]);
  into.gauge('process_start_time_seconds', 'When the daemon was started, since 1970', [
    { value: facts.startedSeconds },
  ]);
}
