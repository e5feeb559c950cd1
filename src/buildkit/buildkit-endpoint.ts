import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { create, toBinary } from '@bufbuild/protobuf';
import type { BuildBackend } from '../builder/build-backend.ts';
import type { ContextSource } from '../builder/build-session.ts';
import type { Logger } from '../errors/logger.ts';
import { BuildRuns } from './control/build-runs.ts';
import { controlService } from './control/control-service.ts';
import { gatewayService } from './control/gateway-service.ts';
import { statusOf } from './control/status-messages.ts';
import type { WorkerFacts } from './control/worker-record.ts';
import type { ContextDirectories } from './filesync/context-directories.ts';
import { GrpcServer } from './grpc/grpc-server.ts';
import { Control, SolveRequestSchema, StatusResponseSchema } from './protocol/generated/control_pb.ts';
import { LLBBridge } from './protocol/generated/gateway_pb.ts';
import { Health, HealthCheckResponse_ServingStatus } from './protocol/generated/health_pb.ts';
import { type SessionHeaders, SessionStore } from './session/session-store.ts';
import type { OpenDirectory } from './session/synced-context.ts';

export interface BuildkitOptions {
  builder: BuildBackend;
  contexts: ContextDirectories;
  openDirectory: OpenDirectory;
  /** Folder for what is on its way to a client. */
  scratch: string;
  worker: WorkerFacts;
  logger: Logger;
}

/** A build that came by `POST /build` and names a session: what clients did before they spoke BuildKit's protocol whole. */
export interface SessionBuild {
  sessionId: string;
  /** Of the Dockerfile frontend, by BuildKit's names. */
  attributes: Readonly<Record<string, string>>;
  /** Undefined: nothing comes of it but what stays in the cache. */
  exporter: { type: string; attributes: Record<string, string> } | undefined;
  entitlements: readonly string[];
  /** Write the cache's description into the image. */
  inlineCache: boolean;
  /** Where the main context is when it isn't the session's. */
  context: ContextSource | undefined;
}

/** What `server/` needs of BuildKit's protocol: connections that were taken from HTTP. */
export interface BuildkitBackend {
  /**
   * Resolves to what the exporter tells, by BuildKit's names. `trace` is given `StatusResponse` messages as they come, each when it has taken the one before.
   *
   * @throws as `Builder.build`; "not-found" without the session.
   */
  build(
    posted: SessionBuild,
    options: { signal: AbortSignal; trace: (message: Uint8Array) => Promise<void> },
  ): Promise<Record<string, string>>;
  /** The client calls. Returns at once. */
  acceptCalls(socket: Duplex): void;
  /** The client serves. Resolves when it is gone. @throws EngineError "invalid", "conflict" before anything was said. */
  acceptSession(socket: Duplex, headers: SessionHeaders): Promise<void>;
}

/** BuildKit's protocol in front of a builder. */
export class BuildkitEndpoint implements BuildkitBackend {
  readonly #sessions = new SessionStore();
  readonly #server: GrpcServer;
  readonly #runs: BuildRuns;

  constructor({ builder, contexts, openDirectory, scratch, worker, logger }: BuildkitOptions) {
    const sessions = this.#sessions;
    const runs = new BuildRuns({ builder, sessions, contexts, openDirectory, scratch });
    this.#runs = runs;
    this.#server = new GrpcServer(logger);
    this.#server.add(Control, controlService({ builder, runs, sessions, worker }));
    this.#server.add(LLBBridge, gatewayService(runs, worker));
    this.#server.add(Health, {
      check: async () => ({ status: HealthCheckResponse_ServingStatus.SERVING }),
    });
  }

  async build(
    posted: SessionBuild,
    { signal, trace }: { signal: AbortSignal; trace: (message: Uint8Array) => Promise<void> },
  ): Promise<Record<string, string>> {
    const { exporter, attributes, inlineCache, sessionId: session, entitlements } = posted;
    const request = create(SolveRequestSchema, {
      ref: randomUUID(),
      frontend: 'dockerfile.v0',
      frontendAttrs: { ...attributes },
      session,
      entitlements: [...entitlements],
      exporters: exporter === undefined ? [] : [{ type: exporter.type, attrs: exporter.attributes }],
      cache: { exports: inlineCache ? [{ type: 'inline' }] : [] },
    });
    const run = this.#runs.solve(request, signal, posted.context);
    run.catch(() => undefined);
    const job = this.#runs.jobs.find(request.ref);
    for await (const events of job?.events(signal) ?? []) {
      const status = statusOf(events, job?.dockerfile);
      if (status !== undefined)
        await trace(toBinary(StatusResponseSchema, create(StatusResponseSchema, status)));
    }
    return await run;
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
