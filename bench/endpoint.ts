/** A daemon under test, spoken to over its API. */
export class Endpoint {
  readonly name: string;
  readonly address: string;
  readonly #socket: string;

  /** `address` as `unix:///path`. */
  constructor(name: string, address: string) {
    this.name = name;
    this.address = address;
    this.#socket = address.slice('unix://'.length);
  }

  get socketPath(): string {
    return this.#socket;
  }

  async ping(): Promise<boolean> {
    try {
      return (await this.#call('GET', '/_ping')).ok;
    } catch {
      return false;
    }
  }

  /** What `GET /version` says. */
  async version(): Promise<{ version: string; api: string }> {
    const answer: unknown = await (await this.#call('GET', '/version')).json();
    const field = (name: string) => String(Object(answer)[name] ?? '?');
    return { version: field('Version'), api: field('ApiVersion') };
  }

  /**
   * Pull a `name:tag`, to the end of the progress stream.
   *
   * @returns Whether layers came from an earlier pull.
   * @throws Error with the daemon's words.
   */
  async pull(reference: string): Promise<{ reused: boolean }> {
    const colon = reference.lastIndexOf(':');
    const query = new URLSearchParams({
      fromImage: reference.slice(0, colon),
      tag: reference.slice(colon + 1),
    });
    const response = await this.#call('POST', `/images/create?${query.toString()}`);
    const text = await response.text();
    const failure = /"error":"([^"]*)"/.exec(text)?.[1];
    if (!response.ok || failure !== undefined)
      throw new Error(`${this.name}: Cannot pull ${reference}: ${failure ?? text.trim()}`);
    return { reused: text.includes('Already exists') };
  }

  /** Remove an image; a missing one is fine. @throws Error with the daemon's words. */
  async removeImage(reference: string): Promise<void> {
    const response = await this.#call('DELETE', `/images/${reference}?force=1`);
    const text = await response.text();
    if (!response.ok && response.status !== 404)
      throw new Error(`${this.name}: Cannot remove ${reference}: ${text.trim()}`);
  }

  /** Remove all containers of an image, whatever their state. */
  async removeContainersOf(reference: string): Promise<void> {
    const filters = encodeURIComponent(JSON.stringify({ ancestor: [reference] }));
    const response = await this.#call('GET', `/containers/json?all=1&filters=${filters}`);
    if (!response.ok) return;
    const containers: unknown = await response.json();
    for (const container of Array.isArray(containers) ? containers : [])
      await (await this.#call('DELETE', `/containers/${String(Object(container).Id)}?force=1&v=1`)).text();
  }

  /** Start a container that needs to be removed. @throws Error with the daemon's words. */
  async startContainer(name: string, image: string, command: readonly string[]): Promise<void> {
    const settings = { Image: image, Cmd: command, HostConfig: { NetworkMode: 'none' } };
    await this.#json(`/containers/create?name=${name}`, settings);
    await this.#json(`/containers/${name}/start`);
  }

  /** When a container ended, in seconds since 1970. */
  async endOf(name: string): Promise<number> {
    return Date.parse(String(Object((await this.#inspect(name))['State']).FinishedAt)) / 1000;
  }

  async idOf(name: string): Promise<string> {
    return String((await this.#inspect(name))['Id']);
  }

  /** Kill and remove a container; a missing one is fine, a daemon that is gone too. */
  async removeContainer(name: string): Promise<void> {
    const path = `/containers/${name}?force=1&v=1`;
    await this.#call('DELETE', path).then(
      (response) => response.text(),
      () => undefined,
    );
  }

  async #inspect(name: string): Promise<Record<string, unknown>> {
    return Object(await (await this.#call('GET', `/containers/${name}/json`)).json());
  }

  async #json(path: string, body: unknown = {}): Promise<void> {
    const blob = new Blob([JSON.stringify(body)], { type: 'application/json' });
    const response = await this.#call('POST', path, blob);
    const text = await response.text();
    if (!response.ok) throw new Error(`${this.name}: Cannot POST ${path}: ${text.trim()}`);
  }

  /** Name an image. @throws Error with the daemon's words. */
  async tag(reference: string, repository: string, tag: string): Promise<void> {
    await this.#done(
      'tag',
      'POST',
      `/images/${reference}/tag?${new URLSearchParams({ repo: repository, tag }).toString()}`,
    );
  }

  /** Write an image's archive to a file. @throws Error with the daemon's words. */
  async save(reference: string, path: string): Promise<void> {
    const response = await this.#call('GET', `/images/${reference}/get`);
    if (!response.ok) throw new Error(`${this.name}: Cannot save ${reference}: ${await response.text()}`);
    await Bun.write(path, response);
  }

  /** Load an archive from a file. @throws Error with the daemon's words. */
  async load(path: string): Promise<void> {
    await this.#done('load', 'POST', '/images/load?quiet=1', Bun.file(path));
  }

  /** Push a `name:tag`, to the end of the progress stream. @throws Error with the daemon's words. */
  async push(repository: string, tag: string): Promise<void> {
    await this.#done('push', 'POST', `/images/${repository}/push?${new URLSearchParams({ tag }).toString()}`);
  }

  /** Make an image of one root file system tar. @throws Error with the daemon's words. */
  async importTar(reference: string, tar: Uint8Array<ArrayBuffer>): Promise<void> {
    const query = new URLSearchParams({ fromSrc: '-', repo: reference });
    await this.#done('import', 'POST', `/images/create?${query.toString()}`, tar);
  }

  /** A call whose answer may carry its failure in the stream. */
  async #done(
    what: string,
    method: string,
    path: string,
    body?: Blob | Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    const response = await this.#call(method, path, body);
    const text = await response.text();
    const failure = /"error":"([^"]*)"/.exec(text)?.[1];
    if (!response.ok || failure !== undefined)
      throw new Error(`${this.name}: Cannot ${what}: ${failure ?? text.trim()}`);
  }

  #call(method: string, path: string, body?: Blob | Uint8Array<ArrayBuffer>): Promise<Response> {
    return fetch(`http://localhost${path}`, {
      method,
      unix: this.#socket,
      signal: AbortSignal.timeout(300_000),
      // A push must bring credentials, if only empty ones.
      headers: { 'x-registry-auth': 'e30=' },
      ...(body === undefined ? {} : { body }),
    });
  }
}
