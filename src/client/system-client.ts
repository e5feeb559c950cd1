import type { DoctorReport } from '../wire/doctor.ts';
import type { Json } from '../wire/json.ts';
import type { EngineConnection } from './engine-connection.ts';
import type { AuthConfig, AuthResponse, DiskUsage, EventMessage } from './model.ts';
import { encodeFilters } from './query.ts';

/** `/version`, `/info`, `/events`, `/system/df`, `/auth`. */
export class SystemClient {
  readonly #engine: EngineConnection;

  constructor(engine: EngineConnection) {
    this.#engine = engine;
  }

  version(): Promise<Record<string, Json>> {
    return this.#engine.json('GET', '/version');
  }

  info(): Promise<Record<string, Json>> {
    return this.#engine.json('GET', '/info');
  }

  /** Times as the API takes them (unix seconds with up to nine decimals, or RFC 3339). Ends at `until`, else with `signal`. */
  events(options: {
    since?: string | undefined;
    until?: string | undefined;
    filters?: Readonly<Record<string, readonly string[]>>;
    signal?: AbortSignal | undefined;
  }): AsyncGenerator<EventMessage, void, undefined> {
    return this.#engine.jsonLines('GET', '/events', {
      query: {
        since: options.since || undefined,
        until: options.until || undefined,
        filters: encodeFilters(options.filters ?? {}),
      },
      signal: options.signal,
    });
  }

  /** What is wrong with the daemon and its machine. Sampan's daemon alone can. */
  doctor(): Promise<DoctorReport> {
    return this.#engine.own('examine its machine', () => this.#engine.json<DoctorReport>('GET', '/doctor'));
  }

  /** The machine goes down: resolves once no container runs any more. Sampan's daemon alone can. */
  async stopContainers(): Promise<void> {
    await this.#engine.own('stop all containers', () => this.#engine.call('POST', '/shutdown'));
  }

  /** What images, containers, volumes and the build cache take up. */
  diskUsage(): Promise<DiskUsage> {
    return this.#engine.json('GET', '/system/df');
  }

  /** Let the daemon try credentials at their registry. They are neither kept nor logged. */
  async login(credentials: AuthConfig, options: { tlsVerify?: boolean } = {}): Promise<AuthResponse> {
    const unverified = options.tlsVerify === false;
    if (unverified) await this.#engine.requireSampan('leave out the check of certificates for one command');
    const query = { tlsVerify: unverified ? false : undefined };
    return this.#engine.json('POST', '/auth', { query, json: credentials });
  }
}
