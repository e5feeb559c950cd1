import type { NamedContainer, NamedEndpoint } from './name-server.ts';

/** What is found for a name: addresses of both families; empty of one is an answer too. */
export interface FoundName {
  ipv4: string[];
  ipv6: string[];
}

/** Names by network. Nothing of one network is seen by those who are not on it. */
export class NameTable {
  readonly #endpoints = new Map<string, NamedEndpoint>();
  readonly #networks = new Map<string, Map<string, NamedEndpoint>>();

  add(endpoint: NamedEndpoint): void {
    this.remove(endpoint.id);
    this.#endpoints.set(endpoint.id, endpoint);
    const network = this.#networks.get(endpoint.networkId) ?? new Map<string, NamedEndpoint>();
    network.set(endpoint.id, endpoint);
    this.#networks.set(endpoint.networkId, network);
  }

  remove(id: string): void {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return;
    this.#endpoints.delete(id);
    const network = this.#networks.get(endpoint.networkId);
    network?.delete(id);
    if (network?.size === 0) this.#networks.delete(endpoint.networkId);
  }

  keepOnly(ids: ReadonlySet<string>): void {
    for (const id of this.#endpoints.keys()) if (!ids.has(id)) this.remove(id);
  }

  /** `name` in lower case without a final dot; `name.network` too. The first network that knows it answers, as in Docker. */
  find(name: string, asker: Pick<NamedContainer, 'networks' | 'links'>): FoundName | undefined {
    const target = Object.hasOwn(asker.links, name) ? (asker.links[name] ?? name).toLowerCase() : name;
    for (const networkId of asker.networks) {
      const found = this.#findOn(networkId, target);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The name that an address bears on a network of the asker's: `name.network`. */
  findAddress(address: string, asker: Pick<NamedContainer, 'networks'>): string | undefined {
    for (const networkId of asker.networks)
      for (const { addresses, names, networkName } of this.#networks.get(networkId)?.values() ?? [])
        if (addresses.includes(address) && names[0] !== undefined) return `${names[0]}.${networkName}`;
    return undefined;
  }

  #findOn(networkId: string, name: string): FoundName | undefined {
    const endpoints = [...(this.#networks.get(networkId)?.values() ?? [])].filter(({ names, networkName }) =>
      names.some((one) => isName(name, one, networkName)),
    );
    if (endpoints.length === 0) return undefined;
    const addresses = endpoints.flatMap((endpoint) => endpoint.addresses);
    return {
      ipv4: addresses.filter((address) => !address.includes(':')),
      ipv6: addresses.filter((address) => address.includes(':')),
    };
  }
}

function isName(asked: string, name: string, network: string): boolean {
  const lower = name.toLowerCase();
  return asked === lower || asked === `${lower}.${network.toLowerCase()}`;
}
