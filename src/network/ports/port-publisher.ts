import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { PortRule } from '../ruleset.ts';
import { ephemeralPorts, hasIpv6 } from './host-facts.ts';
import { PortBook } from './port-book.ts';
import { type PortHolder, PortTaken } from './port-holder.ts';
import { elementCommands, ruleOf } from './port-rules.ts';
import {
  hostPortText,
  keyOf,
  type PortHolding,
  type PortRequest,
  type PublishedPort,
  type PublishedPorts,
  type PublishRequest,
} from './published-ports.ts';

export interface PortPublisherOptions {
  holder: PortHolder;
  /** Name of our table. */
  table: string;
  /** Change elements of the table in one transaction; what has the whole of `rules()` instead is as good. */
  changeRules: (commands: string) => Promise<void>;
  logger: Logger;
}

/** One change after the other: first the socket, then the rule; and back in reverse. */
export class PortPublisher implements PublishedPorts {
  readonly #options: PortPublisherOptions;
  readonly #book = new PortBook();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: PortPublisherOptions) {
    this.#options = options;
    options.holder.onLost(() => void this.#queue(() => this.#holdAgain(this.#book.all())));
  }

  /** What the table is to have. */
  rules(): PortRule[] {
    return this.#book.all().flatMap((holding) => ruleOf(holding) ?? []);
  }

  /** Before the rules are loaded: what an earlier daemon has published stays reachable. */
  async find(): Promise<void> {
    try {
      for (const holding of await this.#options.holder.find()) this.#book.put(holding);
    } catch (error) {
      this.#options.logger.warn('Cannot find the holder of published ports again', {
        error: messageOf(error),
      });
    }
  }

  publish(request: PublishRequest): Promise<PublishedPort[]> {
    return this.#queue(async () => {
      const before = this.#book.drop(request.containerId);
      await this.#drop(before);
      try {
        for (const port of inOrder(request.ports)) await this.#reserve(request, port, before);
        const made = this.#book.of(request.containerId);
        await this.#change('add', made);
        return made.map(({ protocol, hostAddress, hostPort, containerPort }) => ({
          protocol,
          hostAddress,
          hostPort,
          containerPort,
        }));
      } catch (error) {
        await this.#drop(this.#book.drop(request.containerId));
        throw error;
      }
    });
  }

  withdraw(containerId: string): Promise<void> {
    return this.#queue(() => this.#drop(this.#book.drop(containerId)));
  }

  recover(keep: readonly PortHolding[]): Promise<void> {
    return this.#queue(async () => {
      const kept = new Set(keep.map(({ containerId }) => containerId));
      const others = new Set(
        this.#book
          .all()
          .map(({ containerId }) => containerId)
          .filter((id) => !kept.has(id)),
      );
      for (const containerId of others) await this.#drop(this.#book.drop(containerId));
      const present = new Set(this.#book.all().map(keyOf));
      const missing = keep.filter((holding) => !present.has(keyOf(holding)));
      for (const holding of missing) this.#book.put(holding);
      await this.#holdAgain(missing);
      await this.#change('add', missing);
    });
  }

  of(containerId: string): PortHolding[] {
    return this.#book.of(containerId);
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#options.holder.close();
  }

  /** One port of the host for all addresses of a request. @throws EngineError in Docker's words. */
  async #reserve(request: PublishRequest, port: PortRequest, before: readonly PortHolding[]): Promise<void> {
    let failure = new EngineError('internal', 'all ports are allocated');
    const wanted = this.#wanted(request, port);
    if (wanted.length === 0) return;
    const kept = before.filter(
      (held) =>
        held.protocol === port.protocol &&
        held.containerPort === port.containerPort &&
        held.hostAddress === wanted[0]?.hostAddress,
    );
    for (const hostPort of this.#candidates(
      port,
      kept.map(({ hostPort }) => hostPort),
    )) {
      const holdings = wanted.map((holding) => ({ ...holding, hostPort }));
      const taken = holdings.map((holding) => this.#book.conflict(holding)).find((one) => one !== undefined);
      if (taken !== undefined) {
        failure = allocated(taken);
        continue;
      }
      try {
        await this.#options.holder.hold(holdings);
        for (const holding of holdings) this.#book.put(holding);
        return;
      } catch (error) {
        if (!(error instanceof PortTaken)) throw error;
        failure = refused(error);
        if (!error.isInUse) throw failure;
      }
    }
    throw failure;
  }

  #wanted({ containerId, containerName, ipv4, ipv6 }: PublishRequest, port: PortRequest): PortHolding[] {
    const any = ['0.0.0.0', ...(hasIpv6() ? ['::'] : [])];
    const addresses = new Set(port.hostAddresses.flatMap((address) => (address === '' ? any : [address])));
    const { protocol, containerPort } = port;
    return [...addresses].flatMap((hostAddress) => {
      // The helper carries IPv6 to a container that has none, as Docker's proxy does; nothing carries IPv4 to one of IPv6 alone.
      const target = hostAddress.includes(':') ? (ipv6 ?? (protocol === 'sctp' ? undefined : ipv4)) : ipv4;
      if (target === undefined) return [];
      return [{ containerId, containerName, protocol, hostAddress, hostPort: 0, containerPort, target }];
    });
  }

  /** Those that it had come first. */
  *#candidates({ protocol, hostPorts }: PortRequest, kept: readonly number[]): Generator<number> {
    const { from, to } = hostPorts ?? { from: 0, to: 65_535 };
    yield* kept.filter((port) => port >= from && port <= to);
    if (hostPorts === undefined) yield* this.#book.ephemeral(protocol, ephemeralPorts());
    else for (let port = from; port <= to; port++) yield port;
  }

  async #drop(holdings: readonly PortHolding[]): Promise<void> {
    if (holdings.length === 0) return;
    const { holder, logger } = this.#options;
    try {
      await this.#change('delete', holdings);
      await holder.drop(holdings.map(keyOf));
    } catch (error) {
      logger.error('Cannot free published ports', { error: messageOf(error) });
    }
  }

  async #change(verb: 'add' | 'delete', holdings: readonly PortHolding[]): Promise<void> {
    const rules = holdings.flatMap((holding) => ruleOf(holding) ?? []);
    if (rules.length > 0) await this.#options.changeRules(elementCommands(verb, this.#options.table, rules));
  }

  /** The kernel forwards meanwhile; what somebody took in between stays his. */
  async #holdAgain(holdings: readonly PortHolding[]): Promise<void> {
    for (const holding of holdings) {
      try {
        await this.#options.holder.hold([holding]);
      } catch (error) {
        this.#options.logger.warn('Cannot reserve a published port again', {
          port: keyOf(holding),
          container: holding.containerId,
          error: messageOf(error),
        });
      }
    }
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

/** What is fixed comes first: no choice of ours may take it away. */
function inOrder(ports: readonly PortRequest[]): PortRequest[] {
  const freedom = ({ hostPorts }: PortRequest): number =>
    hostPorts === undefined ? Number.POSITIVE_INFINITY : hostPorts.to - hostPorts.from;
  return ports.toSorted((one, other) => {
    const [left, right] = [freedom(one), freedom(other)];
    return left === right ? 0 : left < right ? -1 : 1;
  });
}

function allocated({ hostAddress, hostPort, containerName }: PortHolding): EngineError {
  return new EngineError(
    'internal',
    `Bind for ${hostPortText(hostAddress, hostPort)} failed: port is already allocated (by container ${containerName})`,
  );
}

function refused({ holding, reason }: PortTaken): EngineError {
  const { hostAddress, hostPort, target, containerPort, protocol } = holding;
  const [from, to] = [hostPortText(hostAddress, hostPort), hostPortText(target, containerPort)];
  return new EngineError('internal', `failed to bind host port for ${from}:${to}/${protocol}: ${reason}`);
}
