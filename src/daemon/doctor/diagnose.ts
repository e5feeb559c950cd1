import { messageOf } from '../../errors/engine-error.ts';
import { readHostFacts } from '../../sys/host.ts';
import { type DoctorCheck, type DoctorReport, worstState } from '../../wire/doctor.ts';
import { buildInfo } from '../build-info.ts';
import { checkCgroups } from './cgroups.ts';
import { type Check, finding, type Subject } from './check.ts';
import { checkDisk } from './disk.ts';
import { checkKernel } from './kernel.ts';
import { checkLimits } from './limits.ts';
import { checkNetwork } from './network.ts';
import { checkPrograms } from './programs.ts';
import { registriesCheck } from './registries.ts';
import { checkRuntime } from './runtime.ts';
import { checkSecurity } from './security.ts';
import { checkStorage } from './storage.ts';

const REGISTRY_MS = 4000;
/** In the order of the report. */
const CHECKS: readonly Check[] = [
  { name: 'daemon', run: (subject) => subject.daemon() },
  checkKernel,
  checkCgroups,
  checkStorage,
  checkDisk,
  checkRuntime,
  checkPrograms,
  checkNetwork,
  checkSecurity,
  checkLimits,
  registriesCheck({ headMs: REGISTRY_MS }),
];
const PATIENCE_MS = 15_000;

/** Look at everything at once. What can't be looked at is a warning of the report, and holds up nothing else. */
export async function diagnose(subject: Subject, signal: AbortSignal): Promise<DoctorReport> {
  const results = await Promise.all(CHECKS.map((check) => inTime(check, subject, signal)));
  const checks = results.flat();
  const { operatingSystem, kernelVersion, architecture } = readHostFacts();
  return {
    Version: 1,
    EngineVersion: buildInfo.version,
    Running: subject.running,
    State: worstState(checks.map(({ State }) => State)),
    OperatingSystem: operatingSystem,
    KernelVersion: kernelVersion,
    Architecture: architecture,
    Checks: checks,
  };
}

async function inTime(check: Check, subject: Subject, signal: AbortSignal): Promise<DoctorCheck[]> {
  const late = Promise.withResolvers<DoctorCheck[]>();
  const stop = new AbortController();
  const timer = setTimeout(() => {
    late.resolve([finding(check.name, 'warning', `not found out within ${PATIENCE_MS / 1000} s`)]);
    stop.abort();
  }, PATIENCE_MS);
  try {
    const looked = check.run(subject, { signal: AbortSignal.any([signal, stop.signal]) });
    return await Promise.race([looked, late.promise]);
  } catch (error) {
    signal.throwIfAborted();
    return [finding(check.name, 'warning', `cannot be looked at: ${messageOf(error)}`)];
  } finally {
    clearTimeout(timer);
  }
}
