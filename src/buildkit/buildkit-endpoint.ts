import type { Duplex } from 'node:stream';
import type { Builder } from '../builder/builder.ts';
import type { Logger } from '../errors/logger.ts';
import { BuildRuns } from './control/build-runs.ts';
import { controlService } from './control/control-service.ts';
import { gatewayService } from './control/gateway-service.ts';
import type { WorkerFacts } from './control/worker-record.ts';
import type { ContextDirectories } from './filesync/context-directories.ts';
import { GrpcServer } from './grpc/grpc-server.ts';
import { Control } from './protocol/generated/control_pb.ts';
import { LLBBridge } from './protocol/generated/gateway_pb.ts';
import { Health, HealthCheckResponse_ServingStatus } from './protocol/generated/health_pb.ts';
import { type SessionHeaders, SessionStore } from './session/session-store.ts';
import type { OpenDirectory } from './session/synced-context.ts';

export interface BuildkitOptions {
  builder: Builder;
  contexts: ContextDirectories;
  openDirectory: OpenDirectory;
  /** Folder for what is on its way to a client. */
  scratch: string;
  worker: WorkerFacts;
  logger: Logger;
}

/** What `server/` needs of BuildKit's protocol: connections that were taken from HTTP. */
export interface BuildkitBackend {
  /** The client calls. Returns at once. */
  acceptCalls(socket: Duplex): void;
  /** The client serves. Resolves when it is gone. @throws EngineError "invalid", "conflict" before anything was said. */
  acceptSession(socket: Duplex, headers: SessionHeaders): Promise<void>;
}

/** BuildKit's protocol in front of a builder. */
export class BuildkitEndpoint implements BuildkitBackend {
  readonly #sessions = new SessionStore();
  readonly #server: GrpcServer;

  constructor({ builder, contexts, openDirectory, scratch, worker, logger }: BuildkitOptions) {
    const sessions = this.#sessions;
    const runs = new BuildRuns({ builder, sessions, contexts, openDirectory, scratch });
    this.#server = new GrpcServer(logger);
    this.#server.add(Control, controlService({ builder, runs, sessions, worker }));
    this.#server.add(LLBBridge, gatewayService(runs, worker));
    this.#server.add(Health, {
      check: async () => ({ status: HealthCheckResponse_ServingStatus.SERVING }),
    });
  }

  acceptCalls(socket: Duplex): void {
    this.#server.accept(socket);
  }

  async acceptSession(socket: Duplex, headers: SessionHeaders): Promise<void> {
    await this.#sessions.serve(socket, headers);
  }

  /** Part with every client; their builds end. */
  close(): void {
    this.#sessions.close();
    this.#server.close();
  }
}
