import { type Check, runChecks, tallyOf } from '../checks.ts';
import type { StepContext, StepOutcome } from '../step.ts';

/** The container that everything is done over: it must stay the same process, and answer. */
const SAME = `[ "$(sampan inspect -f '{{.State.Pid}}' survivor)" = "$(cat /root/survivor.pid)" ]
[ "$(sampan exec survivor echo in)" = in ]`;
const STARTS = 'eventually systemctl is-active sampan.service && eventually sampan version';

/** Three starts a minute are allowed, as Docker's unit allows them, and a `systemctl restart` counts. */
const PATIENCE = 'systemctl reset-failed sampan.service sampan.socket 2> /dev/null || true';

const KEPT: readonly Check[] = [
  [
    'systemd takes over from `npm start`, containers run on',
    `sampan rm -f survivor || true
sampan run -d --name survivor --restart always busybox sh -c 'while :; do date; sleep 1; done'
sampan inspect -f '{{.State.Pid}}' survivor > /root/survivor.pid
kill $(cat /run/sampan.pid); eventually '! kill -0 $(cat /run/sampan.pid)'
node scripts/systemd.mjs install --docker-alias
${STARTS}
${SAME}`,
  ],
  [
    'READY: the service is active only once it answers',
    `systemctl stop sampan.service; systemctl start sampan.service
[ "$(ping)" = OK ]
[ "$(systemctl show -p Type --value sampan.service)" = notify ]`,
  ],
  [
    'the socket starts the service, and keeps the request that did',
    `systemctl stop sampan.service; [ "$(systemctl is-active sampan.service)" = inactive ]; systemctl is-active sampan.socket
[ "$(ping)" = OK ]
${STARTS}`,
  ],
  [
    'RELOADING: systemctl reload ends when the configuration is read',
    `pid=$(systemctl show -p MainPID --value sampan.service); since=$(date +%s); sleep 1
systemctl reload sampan.service; eventually 'journalctl -u sampan.service --since @'$since' | grep -q Reloaded'
[ "$pid" = "$(systemctl show -p MainPID --value sampan.service)" ]; systemctl is-active sampan.service`,
  ],
  [
    'STOPPING: a stop is no failure and waits for no time-out',
    `systemctl stop sampan.service; [ "$(systemctl show -p Result --value sampan.service)" = success ]
kill -0 $(cat /root/survivor.pid); systemctl start sampan.service; ${STARTS}
${SAME}`,
  ],
  ['containers survive systemctl restart docker', `systemctl restart docker; ${STARTS}\n${SAME}`],
  [
    'containers survive systemctl kill -s KILL, and the service comes again',
    `pid=$(systemctl show -p MainPID --value sampan.service); systemctl kill -s KILL sampan.service
eventually '[ "$(systemctl show -p MainPID --value sampan.service)" != '$pid' ]'; ${STARTS}
${SAME}`,
  ],
  [
    'limits of a container are those that were asked for',
    `[ "$(sampan run --rm -m 64m --cpus 0.5 --pids-limit 50 busybox sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max' | tr '\\n' ' ')" = '67108864 50000 100000 50 ' ]`,
  ],
  [
    'systemctl daemon-reload leaves running containers their limits',
    `sampan rm -f limited || true; sampan run -d --name limited -m 64m busybox sleep 100000
systemctl daemon-reload; systemctl restart sampan.service; ${STARTS}
[ "$(sampan exec limited cat /sys/fs/cgroup/memory.max)" = 67108864 ]; sampan rm -f limited`,
  ],
];

/** What every page of Docker's says: mirrors into /etc/docker/daemon.json, daemon-reload, restart, pull. */
const MIRROR: readonly Check[] = [
  [
    'registry-mirrors in /etc/docker/daemon.json, daemon-reload, restart docker',
    `work=$(mktemp -d); setsid sampan registry serve --writable --addr 127.0.0.1:5098 --root $work > /dev/null 2>&1 &
eventually listens 5098
sampan tag busybox 127.0.0.1:5098/library/mirrored; sampan push -q 127.0.0.1:5098/library/mirrored; sampan rmi 127.0.0.1:5098/library/mirrored
mkdir -p /etc/docker; mv /etc/sampan/daemon.json /root/sampan-daemon.json || true
tee /etc/docker/daemon.json <<'END'
{
  "registry-mirrors": ["http://127.0.0.1:5098"]
}
END
systemctl daemon-reload; systemctl restart docker; ${STARTS}
sampan info --format '{{json .RegistryConfig.Mirrors}}' | grep -F 127.0.0.1:5098
sampan pull mirrored; sampan run --rm mirrored true; sampan rmi -f mirrored
mv /root/sampan-daemon.json /etc/sampan/daemon.json || true; systemctl restart docker; ${STARTS}
pkill -f 'addr 127.0.0.1:5098'; rm -rf $work`,
  ],
];

/** Of each kind one that says what it was ended by, in a volume. */
const GOING_DOWN: readonly Check[] = [
  [
    'containers are there for the machine to go down',
    `told() { sampan rm -f $1 || true; sampan run -d --name $1 $2 -v told:/told busybox sh -c "trap 'sleep 2; echo $3 > /told/$1; exit 7' $3; while :; do sleep 0.1; done"; }
told by-term '--restart unless-stopped' TERM; told by-int '--stop-signal INT' INT
sampan rm -f stopped || true; sampan run -d --name stopped --restart unless-stopped busybox sleep 100000; sampan stop -t 0 stopped
systemctl stop sampan-shutdown.service; [ "$(sampan ps -q --filter name=by- | wc -l)" = 2 ]; systemctl start sampan-shutdown.service`,
  ],
];

const BOOTED: readonly Check[] = [
  [
    'the machine went down with each container stopped by its own signal',
    `eventually sampan version
[ "$(sampan run --rm -v told:/told busybox cat /told/by-term /told/by-int | tr '\\n' ' ')" = 'TERM INT ' ]
[ "$(sampan inspect -f '{{.State.Status}} {{.State.ExitCode}}' by-int)" = 'exited 7' ]
eventually '[ "$(sampan inspect -f "{{.State.Running}}" by-term)" = true ]'
[ "$(sampan inspect -f '{{.State.Running}}' stopped)" = false ]`,
  ],
  [
    'after a reboot the service is there, and what is to run always runs',
    `${STARTS}; eventually '[ "$(sampan inspect -f "{{.State.Running}}" survivor)" = true ]'
[ "$(sampan exec survivor echo in)" = in ]; systemctl is-system-running || systemctl --failed
[ -z "$(systemctl list-units --failed --plain --no-legend 'sampan*' 'docker*')" ]`,
  ],
];

/** The units, live. Leaves the engine with systemd. */
export async function systemd({ guest, machine, hardware, log, say }: StepContext): Promise<StepOutcome> {
  const before = [...KEPT, ...MIRROR, ...GOING_DOWN];
  const patient = before.map(([what, script]): Check => [what, `${PATIENCE}\n${script}`]);
  const problems = await runChecks(guest, patient, log);
  say('reboots');
  await machine.shutDown();
  problems.push(...(await runChecks(await machine.boot(hardware), BOOTED, log)));
  return { cells: { 'systemd, live': tallyOf([...before, ...BOOTED], problems) }, problems };
}
