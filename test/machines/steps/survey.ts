import { isEmulated } from '../accelerator.ts';
import type { Guest } from '../guest.ts';
import { CHECKOUT, type StepContext, type StepOutcome } from '../step.ts';

/** The parts of `info` that the page shows. */
interface EngineInfo {
  Driver: string;
  DriverStatus: [string, string][] | null;
  CgroupDriver: string;
  CgroupVersion: string;
  DefaultRuntime: string;
  SecurityOptions: string[] | null;
  Warnings: string[] | null;
}

/** Debian's kernels have AppArmor on, and its installer brings the parser. */
const CONFINED = 'docker-default (enforce)';
const LABELS = `cd ${CHECKOUT}; export DOCKER_HOST=unix:///run/sampan.sock; set -e
bin/sampan run -d --name label busybox sleep 1000 > /dev/null; trap 'bin/sampan rm -f label > /dev/null' EXIT
bin/sampan exec label cat /proc/1/attr/current /proc/self/attr/current
printf 'FROM busybox\nRUN cat /proc/self/attr/current > /label\nFROM scratch\nCOPY --from=0 /label /\n' | bin/sampan build -q -o - - | tar -xO label`;

async function confinements(guest: Guest): Promise<string[]> {
  return (await guest.must('bash -s', { stdin: new Blob([LABELS]) })).trim().split('\n');
}

/** What the machine is, and what the engine found on it. */
export async function survey({ guest, platform, hardware }: StepContext): Promise<StepOutcome> {
  const line = async (command: string) => (await guest.must(command)).trim();
  const info: EngineInfo = JSON.parse(await line(`${CHECKOUT}/bin/sampan info --format '{{json .}}'`));
  const problems: string[] = [];
  if (info.Driver !== platform.snapshotter)
    problems.push(`The snapshotter is ${info.Driver}, not ${platform.snapshotter}`);
  const labels = await confinements(guest);
  if (labels.some((label) => label !== CONFINED))
    problems.push(`Containers' AppArmor labels: ${labels.join(', ')}`);
  const controllers = await line('cat /sys/fs/cgroup/cgroup.controllers');
  return {
    cells: {
      System: `Debian ${await line('cat /etc/debian_version')}`,
      Kernel: await line('uname -r'),
      Hardware: `${hardware.cores} ${isEmulated(hardware.accelerator) ? 'emulated' : 'virtual'} cores, ${hardware.memoryMb} MB`,
      'Process 1': `systemd ${(await line('systemctl --version')).split(/\s/)[1]}`,
      'cgroup layout': `v${info.CgroupVersion} only: ${controllers}`,
      'cgroup driver': info.CgroupDriver,
      Snapshotter: [info.Driver, ...(info.DriverStatus ?? []).map((pair) => pair.join(': '))].join('; '),
      Runtime: (await line(`${info.DefaultRuntime} --version`)).split('\n')[0] ?? '',
      Monitor: (await line('conmon --version')).split('\n')[0] ?? '',
      Node: await line('node --version'),
      'AppArmor of a run, an exec, a build': [...new Set(labels)].join(', '),
      On: (info.SecurityOptions ?? []).join('; ') || 'nothing',
      'Off, with a warning': (info.Warnings ?? []).join('; ') || 'nothing',
    },
    problems,
  };
}
