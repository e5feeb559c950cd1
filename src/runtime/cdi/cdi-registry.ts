import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, messageOf } from '../../errors/engine-error.ts';
import type { Logger } from '../../errors/logger.ts';
import { type CdiSpec, type ContainerEdits, decodeCdiSpec } from './cdi-spec.ts';

export const DEFAULT_CDI_FOLDERS: readonly string[] = ['/etc/cdi', '/var/run/cdi'];
const MAX_FILE_BYTES = 4 << 20;

/** The devices that the host's CDI specifications know; the files are read anew at each look, since drivers write them as they come. */
export class CdiRegistry {
  readonly #folders: readonly string[];
  readonly #logger: Logger;

  /** Of two folders that have a device the later one counts. */
  constructor(folders: readonly string[], logger: Logger) {
    this.#folders = folders;
    this.#logger = logger;
  }

  /** Whether there is any device of that kind. */
  knows(kind: string): boolean {
    return this.#specs().some((spec) => spec.kind === kind && spec.devices.size > 0);
  }

  /**
   * What these devices, each a `vendor.com/class=name`, change in a container.
   *
   * @throws EngineError "invalid" in Docker's words for those that nobody knows.
   */
  edits(names: readonly string[]): ContainerEdits[] {
    const specs = this.#specs();
    const found: ContainerEdits[] = [];
    const unknown: string[] = [];
    const used = new Set<CdiSpec>();
    for (const name of names) {
      const [kind = '', device = ''] = name.split('=', 2);
      const spec = specs.findLast((one) => one.kind === kind && one.devices.has(device));
      const edits = spec?.devices.get(device);
      if (spec === undefined || edits === undefined) unknown.push(name);
      else {
        if (!used.has(spec)) found.push(spec.containerEdits);
        used.add(spec);
        found.push(edits);
      }
    }
    if (unknown.length === 0) return found;
    throw new EngineError(
      'invalid',
      `CDI device injection failed: unresolvable CDI devices ${unknown.join(', ')}`,
    );
  }

  #specs(): CdiSpec[] {
    return this.#folders.flatMap((folder) =>
      entriesOf(folder)
        .filter(({ name }) => /\.(?:json|ya?ml)$/.test(name))
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .flatMap(({ name }) => this.#read(join(folder, name))),
    );
  }

  /** A file that is no specification takes nothing from the others. */
  #read(path: string): CdiSpec[] {
    try {
      if (statSync(path).size > MAX_FILE_BYTES) throw new Error(`larger than ${MAX_FILE_BYTES} bytes`);
      const content = readFileSync(path, 'utf8');
      const value: unknown = path.endsWith('.json') ? JSON.parse(content) : Bun.YAML.parse(content);
      return [decodeCdiSpec(value)];
    } catch (error) {
      this.#logger.warn('Cannot use a CDI specification', { path, error: messageOf(error) });
      return [];
    }
  }
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
