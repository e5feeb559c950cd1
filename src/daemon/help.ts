import type { Flag } from '../cli/flags/flag.ts';
import { flagUsages } from '../cli/flags/flag-usages.ts';

/** The text of `sampand --help`. */
export function daemonHelp(flags: readonly Flag[]): string {
  return `
Usage:  sampand [OPTIONS]

A container engine behind Docker's API.

Options:
${flagUsages(flags, 100)}
Examples:
  sampand                                          the socket /run/sampan.sock, data in /var/lib/sampan
  sampand --registry-mirror http://127.0.0.1:5000  pull docker.io's images from a mirror first
  sampand --validate                               check flags and configuration, start nothing

\`sampand registry serve|ls|gc\` serves a registry alone, without an engine: see \`sampan registry --help\`.
\`sampand doctor\` looks for what is wrong where no daemon answers; \`sampand uninstall\` takes the engine off this machine;
\`sampand shutdown\` stops all containers as the machine goes down: sampan-shutdown.service runs it.

SIGHUP reads registry-mirrors and insecure-registries anew. SIGTERM ends the daemon; containers run on.
`;
}
