import { EngineError } from '../../../errors/engine-error.ts';
import { parseByteSize } from '../../../wire/byte-size.ts';
import { describeError } from '../../cli-error.ts';
import type { Command } from '../../command.ts';
import { parseCpus } from '../../flags/cpus.ts';
import type { ParsedFlags } from '../../flags/flag-set.ts';
import { parseInteger } from '../../flags/flag-value.ts';
import { type PortBinding, parsePublish } from './create-options/ports.ts';
import { parseRestartPolicy } from './create-options/restart-policy.ts';

type PortMap = Record<string, PortBinding[] | null>;

export const command: Command = {
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: [
    { name: 'blkio-weight', kind: 'uint16', usage: 'Block IO weight (10 to 1000, or 0 to leave it)' },
    { name: 'cpu-period', kind: 'int', usage: 'Period of the CFS scheduler in microseconds' },
    { name: 'cpu-quota', kind: 'int', usage: 'Quota of the CFS scheduler in microseconds' },
    { name: 'cpu-rt-period', kind: 'int', usage: 'Period of real-time CPU in microseconds' },
    { name: 'cpu-rt-runtime', kind: 'int', usage: 'Real-time CPU in microseconds per period' },
    { name: 'cpu-shares', short: 'c', kind: 'int', usage: 'Relative weight of CPU time' },
    { name: 'cpus', kind: 'decimal', usage: 'Number of CPUs' },
    { name: 'cpuset-cpus', kind: 'string', usage: 'CPUs it may run on (0-3, 0,1)' },
    { name: 'cpuset-mems', kind: 'string', usage: 'Memory nodes it may use (0-3, 0,1)' },
    { name: 'kernel-memory', kind: 'bytes', usage: 'Accepted for compatibility', hidden: true },
    { name: 'memory', short: 'm', kind: 'bytes', usage: 'Memory limit' },
    { name: 'memory-reservation', kind: 'bytes', usage: 'Soft memory limit' },
    { name: 'memory-swap', kind: 'bytes', usage: "Limit of memory and swap together, '-1' for none" },
    {
      name: 'publish-add',
      kind: 'list',
      typeName: 'list',
      usage: 'Publish a port, also of a running container, as -p of run (Sampan only)',
    },
    {
      name: 'publish-rm',
      kind: 'list',
      typeName: 'list',
      usage: 'Withdraw a published port: 80/tcp, or one place of it as 8080:80 (Sampan only)',
    },
    { name: 'pids-limit', kind: 'int', usage: 'Limit of processes (-1 for none)' },
    { name: 'restart', kind: 'string', usage: 'What to do when the container exits' },
  ],
  args: { min: 1 },
  examples: [
    'update -m 512m --memory-swap 1g web',
    'update --publish-add 127.0.0.1:8080:80 --publish-rm 443 web',
    'update --restart unless-stopped $(sampan ps -q)',
  ],
  async run({ context, client, flags, args }) {
    if (!FLAGS_THAT_CHANGE.some((name) => flags.changed(name)))
      throw new EngineError('invalid', 'you must provide one or more flags when using this command');
    const body = updateBody(flags);
    if (changesPorts(flags)) await client.connection.requireSampan('change what a container publishes');
    const warnings: string[] = [];
    const errors: unknown[] = [];
    for (const name of args) {
      try {
        const answer = await client.containers.update(name, body);
        warnings.push(...(answer.Warnings ?? []));
        await context.stdout.write(`${name}\n`);
      } catch (error) {
        errors.push(error);
      }
    }
    if (warnings.length > 0) await context.stdout.write(`${warnings.join('\n')}\n`);
    for (const error of errors) await context.stderr.write(`${describeError(error)}\n`);
    return errors.length > 0 ? 1 : 0;
  },
};

const FLAGS_THAT_CHANGE = (command.flags ?? []).map(({ name }) => name);

function updateBody(flags: ParsedFlags): object {
  const bytes = (name: string) => {
    const size = parseByteSize(flags.string(name));
    return typeof size === 'bigint' ? size : 0n;
  };
  const integer = (name: string) => parseInteger(flags.string(name)) ?? 0n;
  const pidsLimit = integer('pids-limit');
  return {
    BlkioWeight: flags.int('blkio-weight'),
    CpuPeriod: integer('cpu-period'),
    CpuQuota: integer('cpu-quota'),
    CpuRealtimePeriod: integer('cpu-rt-period'),
    CpuRealtimeRuntime: integer('cpu-rt-runtime'),
    CpuShares: integer('cpu-shares'),
    CpusetCpus: flags.string('cpuset-cpus'),
    CpusetMems: flags.string('cpuset-mems'),
    Memory: bytes('memory'),
    MemoryReservation: bytes('memory-reservation'),
    MemorySwap: bytes('memory-swap'),
    NanoCpus: parseCpus(flags.string('cpus')),
    ...(pidsLimit === 0n ? {} : { PidsLimit: pidsLimit }),
    RestartPolicy: parseRestartPolicy(flags.string('restart')),
    ...(changesPorts(flags) ? portChange(flags) : {}),
  };
}

function changesPorts(flags: ParsedFlags): boolean {
  return flags.changed('publish-add') || flags.changed('publish-rm');
}

/** A port to withdraw without a place on the host is one on all of them. */
function portChange(flags: ParsedFlags): { PublishAdd: PortMap; PublishRemove: PortMap } {
  const unwanted = Object.entries(parsePublish(flags.list('publish-rm')).bindings);
  return {
    PublishAdd: parsePublish(flags.list('publish-add')).bindings,
    PublishRemove: Object.fromEntries(
      unwanted.map(([port, bindings]) => {
        const isWhole = bindings.some(({ HostIp, HostPort }) => HostIp === '' && HostPort === '');
        return [port, isWhole ? null : bindings];
      }),
    ),
  };
}
