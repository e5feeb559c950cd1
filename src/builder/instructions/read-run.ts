import { quote } from '../../wire/quote.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { DockerfileNode } from '../parser/parsed-dockerfile.ts';
import { readFlags } from './flags.ts';
import type { CommandLine, RunInstruction, RunNetwork, RunSecurity } from './instruction.ts';
import { commandArguments, inlineFiles, sourceOf } from './instruction-request.ts';
import { readRunDevice } from './run-device.ts';
import { checkRunMount } from './run-mount.ts';

/** @throws DockerfileError without a range. */
export function readRun(node: DockerfileNode): RunInstruction {
  const flags = readFlags(node.flags, {
    mount: 'strings',
    network: 'string',
    security: 'string',
    device: 'strings',
  });
  const mounts = flags.strings('mount');
  mounts.forEach(checkRunMount);
  const texts = [...node.args, ...node.heredocs.map(({ content }) => content)];
  if (!texts.every((text) => text.isWellFormed())) throw new DockerfileError('RUN contains invalid UTF-8');
  return {
    kind: 'run',
    ...commandLineOf(node),
    mounts,
    network: networkOf(flags.used.includes('network') ? flags.string('network') : 'default'),
    security: securityOf(flags.used.includes('security') ? flags.string('security') : 'sandbox'),
    devices: flags.strings('device').map(readRunDevice),
    flagsUsed: flags.used,
  };
}

export function commandLineOf(node: DockerfileNode): CommandLine {
  return {
    ...sourceOf(node),
    commandLine: commandArguments(node.args, node.json),
    prependShell: !node.json,
    files: inlineFiles(node),
  };
}

function networkOf(value: string): RunNetwork {
  if (value === 'default' || value === 'none' || value === 'host') return value;
  throw new DockerfileError(`invalid network mode ${quote(value)}`);
}

function securityOf(value: string): RunSecurity {
  if (value === 'sandbox' || value === 'insecure') return value;
  throw new DockerfileError(`security ${quote(value)} is not valid`);
}
