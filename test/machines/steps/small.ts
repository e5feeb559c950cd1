import { type Check, runChecks, tallyOf } from '../checks.ts';
import type { StepContext, StepOutcome } from '../step.ts';

const SMALL = { memoryMb: 512, cores: 1 };

const CHECKS: readonly Check[] = [
  ['the engine runs', 'eventually systemctl is-active sampan.service; eventually sampan version'],
  [
    'a build, a push, a pull and a run',
    `work=$(mktemp -d); setsid sampan registry serve --writable --addr 127.0.0.1:5097 --root $work/registry > /dev/null 2>&1 &
eventually listens 5097
printf 'FROM busybox\\nCOPY node_modules/@types node_modules/typescript /packages/\\nRUN find /packages | wc -l\\n' > $work/Dockerfile
sampan build -q -f $work/Dockerfile -t 127.0.0.1:5097/small .
sampan push -q 127.0.0.1:5097/small; sampan rmi -f 127.0.0.1:5097/small; sampan builder prune -f
sampan pull -q 127.0.0.1:5097/small; sampan run --rm 127.0.0.1:5097/small ls /packages
sampan rmi -f 127.0.0.1:5097/small; pkill -f 'addr 127.0.0.1:5097'; rm -rf $work`,
  ],
  [
    'ten containers beside each other',
    `for i in $(seq 10); do sampan run -d --name small-$i busybox sleep 100000; done
for i in $(seq 10); do [ "$(sampan exec small-$i echo in)" = in ]; done
sampan rm -f $(for i in $(seq 10); do echo small-$i; done)`,
  ],
  [
    'nothing ran out of memory, and the service never ended',
    `! journalctl -k -b | grep -i 'out of memory'
[ "$(systemctl show -p NRestarts --value sampan.service)" = 0 ]`,
  ],
];

/** The same machine with 512 MB and one core. Needs the engine with systemd. */
export async function small({ machine, hardware, log, say }: StepContext): Promise<StepOutcome> {
  await machine.shutDown();
  say(`boots with ${SMALL.memoryMb} MB and one core`);
  const guest = await machine.boot({ ...hardware, ...SMALL });
  const problems = await runChecks(guest, CHECKS, log);
  const peak = await guest.run(
    `awk '/VmHWM/ { print int($2 / 1024) }' /proc/$(systemctl show -p MainPID --value sampan.service)/status`,
  );
  await machine.shutDown();
  await machine.boot(hardware);
  const cell = `${tallyOf(CHECKS, problems)}; the daemon's peak ${peak.stdout.trim() || '?'} MB`;
  return { cells: { '512 MB, one core': cell }, problems };
}
