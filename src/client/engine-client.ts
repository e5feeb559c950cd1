import { BuildClient } from './build-client.ts';
import { ContainerClient } from './container-client.ts';
import { DistributionClient } from './distribution-client.ts';
import { type ConnectionOptions, EngineConnection, type PingResult } from './engine-connection.ts';
import { ExecClient } from './exec-client.ts';
import { ImageClient } from './image-client.ts';
import { NetworkClient } from './network-client.ts';
import { SystemClient } from './system-client.ts';
import type { Transport } from './transport.ts';
import { VolumeClient } from './volume-client.ts';

/**
 * Client of one daemon, ours or any that speaks Docker's API, by noun.
 *
 * Every call throws ApiError for an answer of 400 and above, and EngineError "unavailable" when there is no daemon.
 */
export class EngineClient {
  readonly builds: BuildClient;
  readonly containers: ContainerClient;
  readonly distribution: DistributionClient;
  readonly execs: ExecClient;
  readonly images: ImageClient;
  readonly networks: NetworkClient;
  readonly system: SystemClient;
  readonly volumes: VolumeClient;
  /** For what the nouns don't have yet. */
  readonly connection: EngineConnection;

  constructor(transport: Transport, options: ConnectionOptions = {}) {
    this.connection = new EngineConnection(transport, options);
    this.builds = new BuildClient(this.connection);
    this.containers = new ContainerClient(this.connection);
    this.distribution = new DistributionClient(this.connection);
    this.execs = new ExecClient(this.connection);
    this.images = new ImageClient(this.connection);
    this.networks = new NetworkClient(this.connection);
    this.system = new SystemClient(this.connection);
    this.volumes = new VolumeClient(this.connection);
  }

  get endpoint(): string {
    return this.connection.endpoint;
  }

  /** Ask the daemon who it is; made once, its answer settles the version of all later calls. */
  ping(): Promise<PingResult> {
    return this.connection.ping();
  }

  /** Make the next call without asking for the version first; see `EngineConnection.presumeVersion`. */
  presumeVersion(): void {
    this.connection.presumeVersion();
  }

  /** That many calls will follow at once: connect for them meanwhile. */
  connectAhead(count: number): void {
    this.connection.connectAhead(count);
  }

  apiVersion(): Promise<string> {
    return this.connection.apiVersion();
  }
}
