import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeVerb } from './plan.ts';

/** An OCI runtime that does nothing for as long as it is told to, then what it was asked for. */
export class HangingRuntime {
  readonly path: string;
  readonly #folder: string;

  constructor(folder: string, realPath: string) {
    this.#folder = folder;
    this.path = join(folder, 'hanging-runtime');
    const script = `#!/bin/sh
for word; do
  while [ -e "${folder}/hang-$word" ]; do sleep 0.1; done
done
exec ${realPath} "$@"
`;
    writeFileSync(this.path, script);
    chmodSync(this.path, 0o755);
  }

  hangIn(verb: RuntimeVerb): void {
    writeFileSync(join(this.#folder, `hang-${verb}`), '');
  }

  goOn(): void {
    for (const verb of ['create', 'start', 'delete'])
      rmSync(join(this.#folder, `hang-${verb}`), { force: true });
  }
}
