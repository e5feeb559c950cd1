import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import type { StaleFlows } from '../host-network.ts';
import type { PortRule } from '../ruleset.ts';
import { comparePorts, isTarget, mayMeet, wantedHoldings } from './compare-ports.ts';
import { ephemeralPorts } from './host-facts.ts';
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
import { type SharedPort, sharedCommands, sharedPortsOf } from './shared-rules.ts';
import { staleFlowsOf } from './stale-flows.ts';

export interface PortPublisherOptions {
  holder: PortHolder;
  /** Name of our table. */
  table: string;
  /** Change elements of the table in one transaction; what has the whole of `rules()` instead is as good. */
  changeRules: (commands: string) => Promise<void>;
  /** Have connection tracking forget where packets went that now go elsewhere. */
  forgetFlows: (flows: readonly StaleFlows[]) => Promise<void>;
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
    return rulesOf(this.#book.all());
  }

  /** Those with a chain of their own. */
  sharedPorts(): SharedPort[] {
    return sharedPortsOf(this.#book.all());
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
      const before = this.#book.of(request.containerId);
      const { kept, missing } = comparePorts(request, before);
      const leaving = before.filter((holding) => !kept.includes(holding));
      // Its own old ports must not stand in the way of its new ones.
      const first = leaving.filter((holding) => missing.some((port) => mayMeet(port, holding)));
      await this.#drop(first);
      const made: PortHolding[] = [];
      try {
        for (const port of missing) made.push(...(await this.#reserve(request, port, leaving)));
        await this.#change('add', made);
      } catch (error) {
        await this.#drop(made);
        // Of another address: on a network that it has left, where it may be somebody else's by now.
        const [valid, stale] = split(leaving, ({ target }) => isTarget(request, target));
        await this.#drop(stale.filter((holding) => !first.includes(holding)));
        await this.#putBack(valid.filter((holding) => first.includes(holding)));
        throw error;
      }
      await this.#drop(leaving.filter((holding) => !first.includes(holding)));
      return this.#book.of(request.containerId).map(({ protocol, hostAddress, hostPort, containerPort }) => ({
        protocol,
        hostAddress,
        hostPort,
        containerPort,
      }));
    });
  }

  withdraw(containerId: string): Promise<void> {
    return this.#queue(() => this.#drop(this.#book.of(containerId)));
  }

  rest(containerId: string, resting: boolean): Promise<void> {
    // Most share nothing, and wait for nobody.
    if (!this.#book.of(containerId).some(({ shared }) => shared === true)) return Promise.resolve();
    return this.#queue(async () => {
      const other = this.#book
        .of(containerId)
        .filter((holding) => holding.shared === true && (holding.resting === true) !== resting)
        .map(({ resting: _before, ...holding }) => (resting ? { ...holding, resting } : holding));
      if (other.length === 0) return;
      for (const holding of other) this.#book.put(holding);
      await this.#changeRules(this.#sharedChanges(other));
      await this.#options.holder.hold(other);
    });
  }

  recover(keep: readonly PortHolding[]): Promise<void> {
    return this.#queue(async () => {
      const kept = new Set(keep.map(({ containerId }) => containerId));
      await this.#drop(this.#book.all().filter(({ containerId }) => !kept.has(containerId)));
      await this.#putBack(keep.filter((holding) => !this.#book.has(holding)));
    });
  }

  of(containerId: string): PortHolding[] {
    return this.#book.of(containerId);
  }

  all(): PortHolding[] {
    return this.#book.all();
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#options.holder.close();
  }

  /** One port of the host for all addresses of a request. @throws EngineError in Docker's words. */
  async #reserve(
    request: PublishRequest,
    port: PortRequest,
    before: readonly PortHolding[],
  ): Promise<PortHolding[]> {
    let failure = new EngineError('internal', 'all ports are allocated');
    const [wanted, routed] = split(wantedHoldings(request, port), (one) => one.routed !== true);
    const open = routed.filter((holding) => !this.#book.has(holding));
    if (wanted.length === 0) return await this.#take(open);
    // Who is given any of several ports wants one of its own.
    const joins = port.hostPorts !== undefined && port.hostPorts.from === port.hostPorts.to;
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
      const translated = wanted.map((holding) => ({ ...holding, hostPort }));
      const taken = translated
        .map((holding) => this.#book.conflict(holding, { joins }))
        .find((one) => one !== undefined);
      if (taken !== undefined) {
        failure = allocated(taken, request);
        continue;
      }
      try {
        return await this.#take([...translated, ...open]);
      } catch (error) {
        if (!(error instanceof PortTaken)) throw error;
        failure = refused(error);
        if (!error.isInUse) throw failure;
      }
    }
    throw failure;
  }

  /** @throws PortTaken */
  async #take(holdings: PortHolding[]): Promise<PortHolding[]> {
    if (holdings.length > 0) await this.#options.holder.hold(holdings);
    for (const holding of holdings) this.#book.put(holding);
    return holdings;
  }

  /** Those that it had come first. */
  *#candidates({ protocol, hostPorts }: PortRequest, kept: readonly number[]): Generator<number> {
    const { from, to } = hostPorts ?? { from: 0, to: 65_535 };
    yield* kept.filter((port) => port >= from && port <= to);
    if (hostPorts === undefined) yield* this.#book.ephemeral(protocol, ephemeralPorts());
    else for (let port = from; port <= to; port++) yield port;
  }

  /** Off the book, then out of the table, then the sockets: these lead to the container by themselves, and go even if the table stays. */
  async #drop(holdings: readonly PortHolding[]): Promise<void> {
    if (holdings.length === 0) return;
    this.#book.drop(holdings);
    await this.#attemptToFree(() => this.#change('delete', holdings));
    await this.#attemptToFree(() => this.#options.holder.drop(holdings));
  }

  async #attemptToFree(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.logger.error('Cannot free published ports', { error: messageOf(error) });
    }
  }

  /** What was had before: what somebody took in between stays his. */
  async #putBack(holdings: readonly PortHolding[]): Promise<void> {
    for (const holding of holdings) this.#book.put(holding);
    await this.#holdAgain(holdings);
    await this.#change('add', holdings);
  }

  async #change(verb: 'add' | 'delete', holdings: readonly PortHolding[]): Promise<void> {
    const remaining = verb === 'add' ? [] : rulesOf(this.#book.all());
    const elements = elementCommands(verb, this.#options.table, rulesOf(holdings), remaining);
    await this.#changeRules(`${this.#sharedChanges(holdings)}${elements}`);
    await this.#forgetFlows(holdings.flatMap((holding) => staleFlowsOf(verb, holding)));
  }

  async #changeRules(commands: string): Promise<void> {
    if (commands !== '') await this.#options.changeRules(commands);
  }

  /** The chains of shared ports that these have, or had, a part in, as the book says. */
  #sharedChanges(holdings: readonly PortHolding[]): string {
    const ports = new Map(
      holdings.filter(({ shared }) => shared === true).map((holding) => [keyOf(holding), holding]),
    );
    return [...ports.values()]
      .map((port) => {
        const members = this.#book.membersOf(port);
        const [after] = sharedPortsOf(members);
        const [before] = sharedPortsOf(holdings.filter((holding) => keyOf(holding) === keyOf(port)));
        return sharedCommands(this.#options.table, { before, after });
      })
      .join('');
  }

  async #forgetFlows(flows: readonly StaleFlows[]): Promise<void> {
    if (flows.length === 0) return;
    try {
      await this.#options.forgetFlows(flows);
    } catch (error) {
      this.#options.logger.warn('Cannot have connection tracking forget the flows of published ports', {
        error: messageOf(error),
      });
    }
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

function allocated(taken: PortHolding, { shared }: PublishRequest): EngineError {
  const { hostAddress, hostPort, containerName } = taken;
  const halfShared = shared || taken.shared === true;
  return new EngineError(
    'internal',
    `Bind for ${hostPortText(hostAddress, hostPort)} failed: port is already allocated (by container ${containerName})`,
    halfShared
      ? { hint: 'A port is shared by containers that all say so (--publish-shared), at the same address.' }
      : {},
  );
}

function rulesOf(holdings: readonly PortHolding[]): PortRule[] {
  return holdings.flatMap((holding) => ruleOf(holding) ?? []);
}

function split<T>(all: readonly T[], isFirst: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}

function refused({ holding, reason }: PortTaken): EngineError {
  const { hostAddress, hostPort, target, containerPort, protocol } = holding;
  const [from, to] = [hostPortText(hostAddress, hostPort), hostPortText(target, containerPort)];
  return new EngineError('internal', `failed to bind host port for ${from}:${to}/${protocol}: ${reason}`);
}
