import { posix } from 'node:path';
import { quote } from '../../wire/quote.ts';
import type {
  CmdInstruction,
  CommandLine,
  EntrypointInstruction,
  EnvInstruction,
  HealthcheckInstruction,
  Instruction,
  LabelInstruction,
} from '../instructions/instruction.ts';
import { goDuration, goList, goQuoteList, goQuoteNumber } from './go-text.ts';
import { addHistory, type StageState } from './stage-state.ts';

export const DEFAULT_SHELL: readonly string[] = ['/bin/sh', '-c'];

/** The command as it runs: a shell form with the stage's SHELL in front. */
export function withShell(
  line: Pick<CommandLine, 'commandLine' | 'prependShell'>,
  state: StageState,
): string[] {
  if (!line.prependShell) return [...line.commandLine];
  return [...(state.config.shell ?? DEFAULT_SHELL), line.commandLine.join(' ')];
}

/** SHELL's program with the words before its first option: `/bin/bash` of `/bin/bash -o pipefail -c`. */
export function shellProgram({ config }: StageState): readonly string[] {
  const shell: readonly string[] = config.shell ?? DEFAULT_SHELL;
  const option = shell.findIndex((word) => word.startsWith('-'));
  const program = shell.slice(0, option < 0 ? 1 : option);
  return program.length > 0 ? program : DEFAULT_SHELL.slice(0, 1);
}

/**
 * Apply an instruction that changes the image's configuration alone, with its variables put in already. Resolves to whether it was one.
 * What it tells history is BuildKit's wording.
 */
export function changeImage(state: StageState, instruction: Instruction): boolean {
  switch (instruction.kind) {
    case 'env':
      return setEnv(state, instruction);
    case 'label':
      return setLabels(state, instruction);
    case 'cmd':
      return setCmd(state, instruction);
    case 'entrypoint':
      return setEntrypoint(state, instruction);
    case 'healthcheck':
      return setHealthcheck(state, instruction);
    default:
      return setPlain(state, instruction);
  }
}

function setPlain(state: StageState, instruction: Instruction): boolean {
  const { config } = state;
  switch (instruction.kind) {
    case 'maintainer':
      state.author = instruction.maintainer;
      return told(state, `MAINTAINER ${instruction.maintainer}`);
    case 'user':
      state.config = { ...config, user: instruction.user };
      return told(state, `USER ${instruction.user}`);
    case 'volume':
      state.config = { ...config, volumes: union(config.volumes, instruction.volumes) };
      return told(state, `VOLUME ${goList(instruction.volumes)}`);
    case 'stopsignal':
      state.config = { ...config, stopSignal: instruction.signal };
      return told(state, `STOPSIGNAL ${instruction.signal}`);
    case 'shell':
      state.config = { ...config, shell: [...instruction.shell] };
      return told(state, `SHELL ${goList(instruction.shell)}`);
    case 'onbuild':
      state.config = { ...config, onBuild: [...config.onBuild, instruction.expression] };
      return true;
    default:
      return false;
  }
}

function told(state: StageState, text: string): true {
  addHistory(state, text, { layer: false });
  return true;
}

function union(list: readonly string[], more: readonly string[]): string[] {
  return [...new Set([...list, ...more])];
}

function setEnv(state: StageState, { env }: EnvInstruction): true {
  const { config, envPlaces } = state;
  for (const { key, value } of env) {
    state.variables.set(key, value);
    // In its old place, or at the end.
    const at = envPlaces.get(key) ?? config.env.length;
    envPlaces.set(key, at);
    config.env[at] = `${key}=${value}`;
  }
  return told(state, `ENV ${env.map(({ key, value }) => `${key}=${value}`).join(' ')}`);
}

function setLabels(state: StageState, { labels }: LabelInstruction): true {
  // Not by assignment: `__proto__` is a name as any other.
  for (const { key, value } of labels)
    Object.defineProperty(state.config.labels, key, {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  return told(state, `LABEL ${labels.map(({ key, value }) => `${key}=${value}`).join(' ')}`);
}

function setCmd(state: StageState, instruction: CmdInstruction): true {
  const cmd = withShell(instruction, state);
  state.config = { ...state.config, cmd, argsEscaped: true };
  state.hasCmd = true;
  return told(state, `CMD ${goQuoteList(cmd)}`);
}

/** An ENTRYPOINT forgets the CMD of the image below. */
function setEntrypoint(state: StageState, instruction: EntrypointInstruction): true {
  const entrypoint = withShell(instruction, state);
  state.config = { ...state.config, entrypoint, ...(state.hasCmd ? {} : { cmd: undefined }) };
  return told(state, `ENTRYPOINT ${goQuoteList(entrypoint)}`);
}

function setHealthcheck(state: StageState, { healthcheck }: HealthcheckInstruction): true {
  state.config = { ...state.config, healthcheck };
  const { test, intervalNs, timeoutNs, startPeriodNs, startIntervalNs, retries } = healthcheck;
  const durations = [intervalNs, timeoutNs, startPeriodNs, startIntervalNs].map((ns) =>
    quote(goDuration(ns)),
  );
  return told(state, `HEALTHCHECK &{${goQuoteList(test)} ${durations.join(' ')} ${goQuoteNumber(retries)}}`);
}

/** EXPOSE's ports, with their protocols, ranges taken apart. */
export function exposePorts(state: StageState, ports: readonly string[]): void {
  state.config = { ...state.config, exposedPorts: union(state.config.exposedPorts, ports) };
  addHistory(state, `EXPOSE ${goList(ports)}`, { layer: false });
}

/** A WORKDIR's path on top of the one before. */
export function joinWorkdir(current: string, path: string): string {
  const joined = path.startsWith('/') ? path : posix.join('/', current, path);
  const clean = posix.normalize(joined);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}
