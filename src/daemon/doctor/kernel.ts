import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { run } from '../../sys/spawn.ts';
import type { DoctorCheck } from '../../wire/doctor.ts';
import { type Check, finding, type Subject } from './check.ts';
import { tryIdmappedMount } from './idmap-trial.ts';

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];
/** In a namespace of their own, which goes with the command. */
const TRIALS: readonly { what: string; command: string[]; module: string }[] = [
  { what: 'bridges', command: ['ip', 'link', 'add', 'try0', 'type', 'bridge'], module: 'bridge' },
  {
    what: 'pairs of interfaces (veth)',
    command: ['ip', 'link', 'add', 'try0', 'type', 'veth', 'peer', 'name', 'try1'],
    module: 'veth',
  },
  { what: 'nftables', command: ['nft', 'add', 'table', 'inet', 'try'], module: 'nf_tables' },
];
const TRIAL_MS = 5000;

/** What containers need of the kernel, tried where it can be. */
export const checkKernel: Check = {
  name: 'kernel',
  async run(subject): Promise<DoctorCheck[]> {
    const missing = [...missingNamespaces(), ...missingSeccomp(), ...missingOverlay()];
    const failed = subject.isRoot ? await failedTrials() : [];
    const wanting = [...missing, ...failed.map(({ what, reason }) => `${what}: ${reason}`)];
    const [first] = failed;
    const kernel =
      wanting.length === 0
        ? finding('kernel', 'ok', `${release()}: all that containers need${subject.isRoot ? ', tried' : ''}`)
        : finding('kernel', 'failure', `${release()} lacks what containers need`, {
            details: wanting,
            cost: 'containers, or their networks, do not start',
            command: first === undefined ? '' : `modprobe ${first.module}`,
          });
    return [kernel, ...(subject.isRoot ? [await idmap(subject)] : [])];
  },
};

function missingNamespaces(): string[] {
  const absent = NAMESPACES.filter((name) => !existsSync(`/proc/self/ns/${name}`));
  return absent.length === 0 ? [] : [`namespaces: ${absent.join(', ')}`];
}

function missingSeccomp(): string[] {
  return existsSync('/proc/sys/kernel/seccomp/actions_avail') ? [] : ['seccomp filters'];
}

/** A module that isn't loaded yet is not listed: then its file must be there. */
function missingOverlay(): string[] {
  const isThere =
    readFileSync('/proc/filesystems', 'utf8').includes('\toverlay\n') ||
    existsSync(`/lib/modules/${release()}/kernel/fs/overlayfs`) ||
    existsSync(`/usr/lib/modules/${release()}/kernel/fs/overlayfs`);
  return isThere ? [] : ['overlayfs'];
}

async function failedTrials(): Promise<{ what: string; module: string; reason: string }[]> {
  const tried = TRIALS.map(async ({ what, command, module }) => {
    const { exitCode, stderr } = await run(['unshare', '--net', '--', ...command], { timeoutMs: TRIAL_MS });
    return exitCode === 0 ? [] : [{ what, module, reason: stderr.trim().split('\n')[0] ?? '' }];
  });
  return (await Promise.all(tried)).flat();
}

async function idmap({ settings }: Subject): Promise<DoctorCheck> {
  const problem = await tryIdmappedMount(settings.dataRoot);
  return problem === undefined
    ? finding('idmap', 'ok', 'mounts of the data root can show other owners')
    : finding('idmap', 'note', `mounts of the data root cannot show other owners: ${problem}`, {
        cost: 'user namespaces would need a copy of each layer',
      });
}
