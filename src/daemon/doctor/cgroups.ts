import { existsSync, readFileSync } from 'node:fs';
import { cgroupWarnings, readCgroupFacts, readCgroupHost } from '../../sys/cgroup.ts';
import { type Check, finding } from './check.ts';

const PARAMETER = 'systemd.unified_cgroup_hierarchy=1';
const GRUB = '/etc/default/grub';

/** How processes are grouped here, and which limits containers can have. */
export const checkCgroups: Check = {
  name: 'cgroups',
  async run() {
    const host = readCgroupHost(hostMounts());
    if (host.controllers.size === 0)
      return [
        finding('cgroups', 'failure', 'no hierarchy with a controller is mounted', {
          cost: 'containers do not start',
          command: 'mount -t cgroup2 none /sys/fs/cgroup',
        }),
      ];
    const lacking = cgroupWarnings(readCgroupFacts(host)).map((text) => text.replace('WARNING: ', ''));
    const limits =
      lacking.length === 0
        ? []
        : [
            finding('limits-support', 'warning', 'some limits of containers have no effect', {
              details: lacking,
              ...bootWith('cgroup_enable=memory swapaccount=1'),
            }),
          ];
    return [layoutFinding(host.layout), ...limits];
  },
};

/** Of the machine: in the daemon's own namespace the unified hierarchy may be hidden. */
function hostMounts(): string {
  try {
    return readFileSync('/proc/1/mountinfo', 'utf8');
  } catch {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  }
}

function layoutFinding(layout: 'v1' | 'hybrid' | 'v2') {
  if (layout === 'v2') return finding('cgroups', 'ok', 'version 2, with all that containers are limited by');
  const found =
    layout === 'v1'
      ? 'version 1'
      : 'hybrid: version 1, with the unified hierarchy beside it, which crun is started without';
  return finding('cgroups', 'note', found, {
    cost: 'no limits and figures of version 2: memory.high, io.latency, pressure',
    ...bootWith(PARAMETER),
  });
}

/** For the kernel's command line. */
function bootWith(parameter: string): { advice: string; command: string } {
  const edit = `sed -i 's/^GRUB_CMDLINE_LINUX="/&${parameter} /' ${GRUB}`;
  return {
    advice: `boot the kernel with ${parameter}`,
    command: existsSync(GRUB) ? `${edit} && update-grub && reboot` : '',
  };
}
