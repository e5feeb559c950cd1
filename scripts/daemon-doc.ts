// Writes docs/daemon.md from the daemon's own tables: `bun scripts/daemon-doc.ts`. A test holds the page against them.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { settings } from '../src/daemon/setting-table.ts';

/** The text of docs/daemon.md. */
export function daemonPage(): string {
  const rows = settings.map(({ key, type, use, flag, neutral }) => {
    const spelled =
      flag === undefined ? '' : `\`--${flag.name}\`${flag.short === undefined ? '' : `, \`-${flag.short}\``}`;
    const allowed =
      use === 'refused' && neutral !== undefined
        ? ` (but ${neutral.map((value) => `\`${value}\``).join(', ')})`
        : '';
    return `| \`${key}\` | ${type} | ${spelled} | ${use}${allowed} | ${flag?.usage.replaceAll('|', '\\|') ?? ''} |`;
  });
  return `# sampand: flags and daemon.json

\`/etc/sampan/daemon.json\`, else \`/etc/docker/daemon.json\` (without what a running Docker owns: data-root, exec-root, hosts, pidfile, bip, bridge, containerd). An unknown key, a value of the wrong type, and a key that is given as
a flag too stop the start, with the name. \`sampand --validate\` checks and starts nothing. SIGHUP reads \`registry-mirrors\` and \`insecure-registries\` anew.

*honoured*: does what dockerd's does. *warned*: known, without effect here, said so at start. *refused*: ignoring it would be unsafe, so it stops the start.

| key | type | flag | here | |
|---|---|---|---|---|
${rows.join('\n')}
`;
}

if (import.meta.main) writeFileSync(join(import.meta.dir, '../docs/daemon.md'), daemonPage());
