import { type Check, runChecks, tallyOf } from '../checks.ts';
import type { StepContext, StepOutcome } from '../step.ts';

const APT =
  'DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 -o Acquire::Retries=5';
const DEB = (version: string) => `/root/packages/sampan_${version}_amd64.deb`;
const INSTALL = (version: string) => `${APT} -o Dpkg::Options::=--force-confold install ${DEB(version)}`;
/** The package's own programs, not the checkout's. */
const OURS = 'unset DOCKER_HOST; export PATH=/usr/sbin:/usr/bin:/sbin:/bin; cd /';
const ACTIVE = 'systemctl is-active sampan.socket sampan.service sampan-shutdown.service';

const CHECKS: readonly Check[] = [
  [
    'the packages are built',
    `for version in 1.0 2.0; do node scripts/package.mjs --only deb --arch amd64 --deb-version $version --compression none --out /root/packages; done`,
  ],
  [
    'installed, systemd has it, and it is docker',
    `sampan rm -f $(sampan ps -aq) || true; node scripts/systemd.mjs uninstall; kill $(cat /run/sampan.pid) || true; eventually '! kill -0 $(cat /run/sampan.pid)'
${OURS}; ${INSTALL('1.0')}; ${ACTIVE}
systemctl is-enabled sampan.socket sampan.service sampan-shutdown.service
[ "$(docker run --rm busybox echo hi)" = hi ]; [ "$(readlink /etc/alternatives/docker)" = /usr/bin/sampan ]
[ "$(stat -c %G /run/sampan.sock)" = docker ]; man -w sampan-run; [ -z "$(dpkg --verify sampan)" ]`,
  ],
  [
    'an upgrade takes the daemon, containers run on',
    `${OURS}; sampan run -d --name clock -p 18086:80 busybox sleep 100000
task=$(sampan inspect -f '{{.State.Pid}}' clock); daemon=$(systemctl show -p MainPID --value sampan.service)
${INSTALL('2.0')}; ${ACTIVE}
[ "$(dpkg-query -W -f '\${Version}' sampan)" = 2.0 ]; [ "$daemon" != "$(systemctl show -p MainPID --value sampan.service)" ]
[ "$(sampan inspect -f '{{.State.Pid}}' clock)" = "$task" ]; [ "$(sampan exec clock echo in)" = in ]`,
  ],
  [
    'a removal stops containers and daemon, and leaves data and settings',
    `${OURS}; task=$(sampan inspect -f '{{.State.Pid}}' clock); ${APT} remove sampan
never kill -0 $task; never 'pgrep -af "conmon|/usr/lib/sampan"'; never command -v docker; never systemctl is-active sampan.socket
[ -e /var/lib/sampan/state.db ]; [ -e /etc/sampan/daemon.json ]
${INSTALL('2.0')}; ${ACTIVE}; [ "$(sampan ps -a --format '{{.Names}} {{.State}}')" = 'clock exited' ]`,
  ],
  [
    'a purge leaves nothing',
    `${OURS}; sampan start clock; ${APT} purge sampan
for path in /var/lib/sampan /etc/sampan /etc/default/sampan /run/sampan /run/sampan.sock /usr/lib/sampan /var/cache/sampan /etc/systemd/system/multi-user.target.wants/sampan.service; do [ ! -e $path ]; done
never grep sampan /proc/mounts; never 'nft list tables | grep sampan'; never 'ip -o link | grep sampan'
[ -z "$(find /sys/fs/cgroup -name '*sampan*')" ]; never 'pgrep -af "conmon|sampand"'
[ -z "$(systemctl list-units --all --plain --no-legend 'sampan*' --state=active)" ]`,
  ],
  [
    "beside Docker's daemon, nothing of Docker changes",
    `${OURS}; ${APT} install docker.io; eventually docker info
files() { for p in docker.io docker-cli containerd; do dpkg -L $p 2> /dev/null | while read -r path; do [ -d "$path" ] || ls -l --time-style=+%s "$path"; done; dpkg --verify $p 2> /dev/null; done; }
files > /root/before; ${INSTALL('1.0')}; ${ACTIVE}
docker --version | grep '^Docker version'; docker info -f '{{.ServerVersion}}'; [ "$(sampan info -f '{{.Containers}}')" = 0 ]
${APT} purge sampan; files | cmp - /root/before; docker info -f '{{.ServerVersion}}'
${APT} purge docker.io containerd; ${APT} autoremove`,
  ],
];

/** The Debian package. Leaves no engine behind. */
export async function packages({ guest, log }: StepContext): Promise<StepOutcome> {
  const problems = await runChecks(guest, CHECKS, log);
  return { cells: { 'Debian package': tallyOf(CHECKS, problems) }, problems };
}
