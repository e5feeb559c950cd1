import { isEmulated } from '../accelerator.ts';
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

/** What the machine is, and what the engine found on it. */
export async function survey({ guest, platform, hardware }: StepContext): Promise<StepOutcome> {
  const line = async (command: string) => (await guest.must(command)).trim();
  const info: EngineInfo = JSON.parse(await line(`${CHECKOUT}/bin/sampan info --format '{{json .}}'`));
  const problems: string[] = [];
  if (info.Driver !== platform.snapshotter)
    problems.push(`The snapshotter is ${info.Driver}, not ${platform.snapshotter}`);
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
      On: (info.SecurityOptions ?? []).join('; ') || 'nothing',
      'Off, with a warning': (info.Warnings ?? []).join('; ') || 'nothing',
    },
    problems,
  };
}
