import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { installPlugin } from '../../support/engine/docker-plugins.ts';
import { type SeedRegistry, startSeedRegistry } from '../../support/engine/seed-registry.ts';
import { startDaemon, type TestDaemon, type TestDaemonOptions } from '../../support/engine/test-daemon.ts';

/** A daemon with busybox, a client configuration with the plugins, and folders for projects; all gone after `close`. */
export class BuildFixture {
  readonly daemon: TestDaemon;
  readonly #registry: SeedRegistry;
  #folders = 0;

  private constructor(daemon: TestDaemon, registry: SeedRegistry) {
    this.daemon = daemon;
    this.#registry = registry;
  }

  static async start(options: TestDaemonOptions = {}): Promise<BuildFixture> {
    const registry = await startSeedRegistry();
    try {
      const daemon = await startDaemon({ mirrors: [registry.url], ...options });
      const fixture = new BuildFixture(daemon, registry);
      for (const plugin of ['buildx', 'compose'] as const) installPlugin(plugin, join(daemon.root, 'client'));
      await daemon.pull('busybox');
      return fixture;
    } catch (error) {
      await registry.close();
      throw error;
    }
  }

  /** A new folder with these files; a name that ends with `.sh` can be executed. */
  project(files: Record<string, string | Uint8Array>): string {
    const folder = join(this.daemon.root, `project-${++this.#folders}`);
    mkdirSync(folder);
    for (const [path, content] of Object.entries(files)) {
      const at = join(folder, path);
      mkdirSync(dirname(at), { recursive: true });
      writeFileSync(at, content);
      if (path.endsWith('.sh')) chmodSync(at, 0o755);
    }
    return folder;
  }

  /** A folder that does not exist yet, for a client's output. */
  output(): string {
    return join(mkdtempSync(join(this.daemon.root, 'output-')), 'out');
  }

  async close(): Promise<void> {
    const { root } = this.daemon;
    await this.daemon.close();
    await this.#registry.close();
    rmSync(root, { recursive: true, force: true });
  }
}

/** One project for every client: stages, arguments, files in and out of `.dockerignore`, a link, an executable. */
export const sameProject = {
  Dockerfile: [
    'FROM busybox AS base',
    'ARG WHO=nobody',
    'RUN echo "made for $WHO" > /made',
    'FROM base AS tool',
    'COPY tool.sh /tool',
    'FROM base',
    'COPY --from=tool /tool /bin/tool',
    'COPY --chown=7:8 data /data',
    'ENV COLOUR=blue',
    'WORKDIR /data',
    'CMD ["/bin/tool"]',
    '',
  ].join('\n'),
  '.dockerignore': 'data/left-out\n**/*.tmp\n!data/kept.tmp\n',
  'tool.sh':
    '#!/bin/sh\ncat /made; echo $COLOUR; pwd; find . -type f | sort; stat -c "%u:%g %a" sub/deep; cat sub/deep\n',
  'data/left-out': 'no\n',
  'data/some.tmp': 'no\n',
  'data/kept.tmp': 'yes\n',
  'data/sub/deep': 'deep\n',
};

/** What its image prints when it was built with `WHO=<who>`. */
export function printedBy(who: string): string {
  return [`made for ${who}`, 'blue', '/data', './kept.tmp', './sub/deep', '7:8 644', 'deep'].join('\n');
}
