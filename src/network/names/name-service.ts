import type { EventLoop } from '../../sys/event-loop.ts';
import type { NamespaceVisitor } from '../../sys/netns.ts';
import { answerQuery, udpLimit } from './answer-query.ts';
import { Forwarder } from './forwarder.ts';
import type { NamedContainer, NamedEndpoint, NamePorts, NameState } from './name-server.ts';
import { type NameQuery, NameSockets } from './name-sockets.ts';
import { NameTable } from './name-table.ts';

interface Served {
  container: NamedContainer;
  sockets: NameSockets;
}

const TCP_LIMIT_BYTES = 65_535;

/** What the name-server process does. */
export class NameService {
  readonly forwarder: Forwarder;
  readonly #loop: EventLoop;
  readonly #visitor: NamespaceVisitor;
  readonly #table = new NameTable();
  readonly #served = new Map<string, Served>();

  constructor(loop: EventLoop, visitor: NamespaceVisitor) {
    this.#loop = loop;
    this.#visitor = visitor;
    this.forwarder = new Forwarder(loop);
  }

  /** A container whose namespace has gone since is left out. */
  adopt({ containers, endpoints }: NameState): Record<string, NamePorts> {
    const wanted = new Set(containers.map(({ id }) => id));
    for (const id of this.#served.keys()) if (!wanted.has(id)) this.forget(id);
    this.#table.keepOnly(new Set(endpoints.map(({ id }) => id)));
    for (const endpoint of endpoints) this.add(endpoint);
    const ports: Record<string, NamePorts> = {};
    for (const container of containers) {
      try {
        ports[container.id] = this.serve(container);
      } catch {
        continue;
      }
    }
    return ports;
  }

  serve(container: NamedContainer): NamePorts {
    const served = this.#served.get(container.id);
    if (served?.sockets.isIn(container.namespacePath) === true) {
      served.container = container;
      return served.sockets.ports;
    }
    this.forget(container.id);
    const sockets = new NameSockets({
      loop: this.#loop,
      visitor: this.#visitor,
      namespacePath: container.namespacePath,
      onQuery: (query) => this.#answer(container.id, query),
    });
    this.#served.set(container.id, { container, sockets });
    return sockets.ports;
  }

  forget(containerId: string): void {
    this.#served.get(containerId)?.sockets.close();
    this.#served.delete(containerId);
  }

  add(endpoint: NamedEndpoint): void {
    this.#table.add(endpoint);
  }

  remove(endpointId: string): void {
    this.#table.remove(endpointId);
  }

  #answer(containerId: string, { data, protocol, reply }: NameQuery): void {
    const served = this.#served.get(containerId);
    if (served === undefined) return;
    const { container } = served;
    const limit = protocol === 'udp' ? udpLimit : () => TCP_LIMIT_BYTES;
    const verdict = answerQuery(data, container, this.#table, limit);
    if (verdict === undefined) return;
    if ('answer' in verdict) return reply(verdict.answer);
    const { servers = [], fromContainer = false } = container.forwarding ?? {};
    const inNetwork = <T>(open: () => T): T =>
      fromContainer ? this.#visitor.visit(container.namespacePath, open) : open();
    this.forwarder.ask({
      asker: containerId,
      query: data,
      protocol,
      limitBytes: verdict.limitBytes,
      servers,
      inNetwork,
      reply,
    });
  }
}
