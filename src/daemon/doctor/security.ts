import { readFileSync } from 'node:fs';
import { DEFAULT_PROFILE, profileNames } from '../../runtime/spec/apparmor.ts';
import type { DoctorCheck } from '../../wire/doctor.ts';
import { type Check, finding } from './check.ts';

/** What confines containers beside namespaces: seccomp, and the kernel's security modules. */
export const checkSecurity: Check = {
  name: 'security',
  async run({ settings }) {
    return [seccomp(settings.containers.seccompProfile), ...modules()];
  },
};

function seccomp(profile: string): DoctorCheck {
  if (profile !== 'unconfined') return finding('seccomp', 'ok', `profile ${profile}`);
  return finding('seccomp', 'warning', 'containers are not filtered: seccomp-profile is unconfined', {
    cost: 'they may call everything in the kernel that root may',
    advice: 'take seccomp-profile out of daemon.json',
  });
}

function modules(): DoctorCheck[] {
  const active = readText('/sys/kernel/security/lsm').trim().split(',').filter(Boolean);
  if (readText('/sys/fs/selinux/enforce').startsWith('1'))
    return [
      finding('lsm', 'warning', 'SELinux enforces, and this engine sets no labels', {
        cost: 'containers may be denied their files, or run without the confinement that SELinux is for',
        command: 'setenforce 0',
      }),
    ];
  if (readText('/sys/module/apparmor/parameters/enabled').startsWith('Y')) return [apparmor()];
  const names = active.length === 0 ? '' : ` (active: ${active.join(', ')})`;
  return [
    finding('lsm', 'note', `neither AppArmor nor SELinux confines containers${names}`, {
      cost: 'namespaces, capabilities and seccomp are what holds',
      advice: 'boot the kernel with apparmor=1 security=apparmor',
    }),
  ];
}

function apparmor(): DoctorCheck {
  const text = readText('/sys/kernel/security/apparmor/profiles');
  if (profileNames(text).has(DEFAULT_PROFILE))
    return finding('lsm', 'ok', `AppArmor, profile ${DEFAULT_PROFILE}`);
  return finding('lsm', 'note', `AppArmor is there, and the profile ${DEFAULT_PROFILE} is not loaded`, {
    cost: 'containers are not confined by it',
    advice: 'install apparmor_parser; the daemon loads the profile as it starts',
    command: 'apt-get install apparmor',
  });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
