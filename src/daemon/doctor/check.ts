import type { RuntimeInfo } from '../../runtime/runtime.ts';
import type { SnapshotDriver } from '../../snapshots/snapshotter.ts';
import type { CheckState, DoctorCheck } from '../../wire/doctor.ts';
import type { DaemonSettings } from '../daemon-settings.ts';
import type { RegistryAccess } from '../registry-access.ts';

/** What is looked at: by the daemon itself, or by a program that stands in for one that doesn't run. */
export interface Subject {
  /** It is the daemon that asks itself. */
  running: boolean;
  settings: DaemonSettings;
  /** Why those settings are not the configured ones; the defaults stand in. */
  settingsProblem: string | undefined;
  /** Of whoever looks: without it nothing can be tried out. */
  isRoot: boolean;
  registry: RegistryAccess;
  /** Of bridges whose traffic other firewalls must let through. */
  bridgeNames(): Promise<string[]>;
  /** The driver that is used, or would be. @throws why there is none. */
  storage(): Promise<FoundStorage>;
  /** The OCI runtime that is used, or would be. @throws why there is none. */
  runtime(): Promise<FoundRuntime>;
  /** How the daemon itself is. */
  daemon(): Promise<DoctorCheck[]>;
}

export interface FoundStorage {
  driver: SnapshotDriver;
  reason: string;
  /** Layers have, or would get, a file system of their own in a file: why. */
  ownDisk: string | undefined;
}

export interface FoundRuntime {
  info: RuntimeInfo;
  /** Why others were not taken. */
  rejected: readonly string[];
  /** Whether starts leave out what this binary was seen not to need. */
  takesShortcuts: boolean;
}

export interface Check {
  /** What its results are called, and what says that it failed. */
  name: string;
  run(subject: Subject, options: { signal: AbortSignal }): Promise<DoctorCheck[]>;
}

export interface FindingOptions {
  subject?: string;
  details?: readonly string[];
  cost?: string;
  /** Where no command alone does it. */
  advice?: string;
  command?: string;
}

export function finding(
  name: string,
  state: CheckState,
  found: string,
  { subject = '', details = [], cost = '', advice = '', command = '' }: FindingOptions = {},
): DoctorCheck {
  return {
    Name: name,
    Subject: subject,
    State: state,
    Found: found,
    Details: [...details],
    Cost: cost,
    Advice: advice,
    Command: command,
  };
}

/** A look that only root may take. */
export function needsRoot(name: string): DoctorCheck {
  return finding(name, 'note', 'not looked at: that takes root', { command: 'sudo sampan doctor' });
}
