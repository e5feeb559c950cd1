import type { SourceProbe } from '../../registry/sources/probe-source.ts';
import type { DoctorCheck } from '../../wire/doctor.ts';
import type { ProbedRegistry } from '../registry-access.ts';
import { type Check, finding, type Subject } from './check.ts';

const SLOW_MS = 1500;
const SKEWED_MS = 60_000;
/** Certificates are judged by the clock. */
const WRONG_MS = 24 * 3_600_000;

/** Who answers pulls, and how fast; by what they say of the time, our clock too. */
export function registriesCheck({ headMs }: { headMs: number }): Check {
  return {
    name: 'registries',
    async run(subject, { signal }) {
      const probed = await subject.registry.probe({ signal, headMs });
      const ahead = probed.flatMap(({ sources }) => sources.flatMap(({ aheadMs }) => aheadMs ?? []));
      return [...probed.flatMap((registry) => registryFindings(registry, subject)), clockFinding(ahead)];
    },
  };
}

function registryFindings({ name, sources, problem }: ProbedRegistry, subject: Subject): DoctorCheck[] {
  if (problem !== undefined)
    return [
      finding('registry', 'failure', problem, { subject: name, cost: `nothing is pulled from ${name}` }),
    ];
  const answering = sources.filter((source) => source.problem === undefined);
  return sources.map((source) => sourceFinding(source, { name, others: answering.length > 0, subject }));
}

function sourceFinding(
  source: SourceProbe,
  { name, others, subject }: { name: string; others: boolean; subject: Subject },
): DoctorCheck {
  const { url, mirror, latencyMs, problem } = source;
  const role = mirror ? `mirror of ${name}` : name;
  const [kind, took] = [mirror ? 'mirror' : 'registry', `${Math.round(latencyMs)} ms`];
  const at = { subject: url };
  if (problem === undefined && latencyMs < SLOW_MS)
    return finding(kind, 'ok', `${role}, answers in ${took}`, at);
  if (problem === undefined)
    return finding(kind, 'note', `${role}, answers slowly, in ${took}`, {
      ...at,
      cost: 'a pull asks several times before its first byte comes',
    });
  const isSpare = others && !mirror;
  const state = isSpare ? 'note' : others ? 'warning' : 'failure';
  return finding(kind, state, `${role}: ${problem}`, {
    ...at,
    cost: costOf({ name, others, mirror }),
    ...(mirror ? withoutMirror(url, subject) : {}),
  });
}

function costOf({ name, others, mirror }: { name: string; others: boolean; mirror: boolean }): string {
  if (!others) return `nothing is pulled from ${name}: nobody answers for it`;
  return mirror ? 'pulls ask it first, and go on with the next' : 'only what its mirrors have is pulled';
}

function withoutMirror(url: string, { settings }: Subject): { advice: string; command?: string } {
  const base = url.replace(/\/v2\/$/, '');
  const { configFile, pidFile, registryMirrors } = settings;
  if (!registryMirrors.includes(base))
    return {
      advice: 'mend it, or take it out of its hosts.toml or of "registries"',
      command: `kill -HUP $(cat ${pidFile})`,
    };
  if (configFile === undefined)
    return { advice: "mend it, or take it out of the daemon's --registry-mirror flags" };
  return {
    advice: `mend it, or take it out of registry-mirrors in ${configFile}`,
    command: `kill -HUP $(cat ${pidFile})`,
  };
}

function clockFinding(ahead: readonly number[]): DoctorCheck {
  const ordered = ahead.toSorted((a, b) => a - b);
  const median = ordered[Math.floor(ordered.length / 2)];
  if (median === undefined)
    return finding('clock', 'note', 'not compared: no registry on another machine answered');
  const seconds = Math.round(Math.abs(median) / 1000);
  const command = 'timedatectl set-ntp true || apt-get install chrony';
  if (Math.abs(median) < SKEWED_MS)
    return finding('clock', 'ok', `within ${Math.max(1, seconds)} s of the registries'`);
  const found = `${seconds} s ${median > 0 ? 'behind' : 'ahead of'} the registries'`;
  if (Math.abs(median) < WRONG_MS)
    return finding('clock', 'warning', found, {
      cost: 'tokens and signatures may count as expired',
      command,
    });
  return finding('clock', 'failure', found, {
    cost: 'certificates count as expired or not yet valid',
    command,
  });
}
