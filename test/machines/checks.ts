import type { Guest } from './guest.ts';
import { CHECKOUT } from './step.ts';

/** A line of shell that has to succeed, and what it shows, in words. */
export type Check = readonly [what: string, script: string];

const LIMIT_MS = 900_000;
/** `eventually CONDITION`: within two minutes or so of a slow machine. `never CONDITION`, since `!` alone ends no `set -e`. `listens PORT`; `ping`: what the engine answers. Debian brings no curl. */
const PRELUDE = `
cd ${CHECKOUT} || exit 1
export PATH=${CHECKOUT}/bin:$PATH DOCKER_HOST=unix:///run/sampan.sock
eventually() { for turn in $(seq 240); do eval "$*" > /dev/null 2>&1 && return; sleep 0.5; done; echo "did not come true: $*"; return 1; }
never() { ! eval "$*"; }
listens() { (: < /dev/tcp/127.0.0.1/$1) 2> /dev/null; }
ping() { node -e 'require("http").get({ socketPath: "/run/sampan.sock", path: "/_ping" }, (answer) => answer.pipe(process.stdout))'; }
`;

/** Each in a shell of its own, one after the other, all of them whatever the ones before came to. Resolves to what failed. */
export async function runChecks(guest: Guest, checks: readonly Check[], log: string): Promise<string[]> {
  const problems: string[] = [];
  for (const [what, script] of checks) {
    const stdin = new Blob([`${PRELUDE}set -ex\n${script}\n`]);
    const { code, output } = await guest.run('bash -s', { stdin, limitMs: LIMIT_MS, log });
    if (code !== 0)
      problems.push(`${what}: ended with ${code}\n${output.trim().split('\n').slice(-15).join('\n')}`);
  }
  return problems;
}

export function tallyOf(checks: readonly Check[], problems: readonly string[]): string {
  return problems.length === 0
    ? `${checks.length} of ${checks.length}`
    : `${checks.length - problems.length} of ${checks.length}`;
}
