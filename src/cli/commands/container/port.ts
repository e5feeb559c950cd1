import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';

export const command: Command = {
  usage: 'CONTAINER [PRIVATE_PORT[/PROTO]]',
  flags: [],
  args: { min: 1, max: 2 },
  async run({ context, client, args }) {
    const [id = '', wanted] = args;
    const ports = (await client.containers.inspect(id)).NetworkSettings?.Ports ?? {};
    const shown = (binding: { HostIp: string; HostPort: string }) =>
      `${binding.HostIp.includes(':') ? `[${binding.HostIp}]` : binding.HostIp}:${binding.HostPort}`;
    if (wanted !== undefined) {
      const [port = '', protocol = 'tcp'] = wanted.split('/');
      const key = `${port}/${protocol}`;
      const bindings = ports[key];
      if (bindings === undefined || bindings === null)
        throw new EngineError('not-found', `Error: No public port '${wanted}' published for ${id}`);
      for (const binding of bindings) await context.stdout.write(`${shown(binding)}\n`);
      return 0;
    }
    const lines = Object.entries(ports).flatMap(([port, bindings]) =>
      (bindings ?? []).map((binding) => `${port} -> ${shown(binding)}`),
    );
    for (const line of lines.toSorted(byPort)) await context.stdout.write(`${line}\n`);
    return 0;
  },
};

function byPort(left: string, right: string): number {
  return Number.parseInt(left, 10) - Number.parseInt(right, 10) || (left < right ? -1 : 1);
}
