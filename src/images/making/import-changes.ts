import { EngineError } from '../../errors/engine-error.ts';
import type { ImageProcessConfig } from '../../oci/image-config.ts';
import { jsonStrings, oneWord, type Variables, words } from './change-words.ts';
import { parseHealthcheck } from './healthcheck-change.ts';

const MAX_CHANGES = 1000;

export function emptyProcessConfig(): ImageProcessConfig {
  return {
    user: '',
    env: [],
    entrypoint: undefined,
    cmd: undefined,
    workingDir: '',
    exposedPorts: [],
    volumes: [],
    labels: {},
    stopSignal: undefined,
    shell: undefined,
    onBuild: [],
    healthcheck: undefined,
    argsEscaped: false,
  };
}

/**
 * Apply `--change` instructions (CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR), as `docker import` and
 * `docker commit` do.
 *
 * @throws EngineError "invalid", in Docker's words.
 */
export function applyChanges(config: ImageProcessConfig, changes: readonly string[]): ImageProcessConfig {
  const lines = changes.flatMap((change) => change.split('\n')).map((line) => line.trim());
  if (lines.length > MAX_CHANGES) throw invalid(`at most ${MAX_CHANGES} changes are taken`);
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .reduce((current, line) => applyChange(current, line), config);
}

function applyChange(config: ImageProcessConfig, line: string): ImageProcessConfig {
  const [, name = '', rest = ''] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
  const change = { instruction: name.toUpperCase(), rest, variables: variablesOf(config) };
  return applyCommand(config, change) ?? applyWords(config, change);
}

interface Change {
  instruction: string;
  rest: string;
  variables: Variables;
}

/** Instructions whose argument is a command, or taken as it is. */
function applyCommand(
  config: ImageProcessConfig,
  { instruction, rest }: Change,
): ImageProcessConfig | undefined {
  switch (instruction) {
    case 'CMD':
      return { ...config, cmd: commandOf(rest, config) };
    case 'ENTRYPOINT':
      return { ...config, entrypoint: commandOf(rest, config) };
    case 'ONBUILD':
      return { ...config, onBuild: [...config.onBuild, triggerOf(rest)] };
    case 'HEALTHCHECK':
      return { ...config, healthcheck: parseHealthcheck(rest) };
    default:
      return undefined;
  }
}

function applyWords(config: ImageProcessConfig, change: Change): ImageProcessConfig {
  switch (change.instruction) {
    case 'ENV':
      return { ...config, env: withEnv(config.env, pairsOf(change)) };
    case 'LABEL':
      return { ...config, labels: { ...config.labels, ...Object.fromEntries(pairsOf(change)) } };
    case 'EXPOSE':
      return { ...config, exposedPorts: union(config.exposedPorts, listOf(change).flatMap(portsOf)) };
    case 'VOLUME':
      return { ...config, volumes: union(config.volumes, listOf(change)) };
    case 'USER':
      return { ...config, user: single(change) };
    case 'WORKDIR':
      return { ...config, workingDir: joinPath(config.workingDir, single(change)) };
    case 'STOPSIGNAL':
      return { ...config, stopSignal: signalOf(single(change)) };
    default:
      throw invalid(`${change.instruction} is not a valid change command`);
  }
}

function variablesOf({ env }: ImageProcessConfig): Variables {
  return new Map(
    env.map((entry) => {
      const at = entry.indexOf('=');
      return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

function listOf({ instruction, rest, variables }: Change): string[] {
  const list = jsonStrings(rest) ?? words(rest, variables);
  if (list.length === 0) throw invalid(`${instruction} requires at least one argument`);
  return list;
}

/** `["a","b"]` as it stands, anything else for the shell. */
function commandOf(rest: string, { shell }: ImageProcessConfig): string[] {
  return jsonStrings(rest) ?? (rest === '' ? [] : [...(shell ?? ['/bin/sh', '-c']), rest]);
}

/** `A=b C="d e"`, or the old `A b c`. */
function pairsOf({ instruction, rest, variables }: Change): [string, string][] {
  const list = words(rest, variables);
  if (list.length === 0) throw invalid(`${instruction} requires at least one argument`);
  if (list[0]?.includes('=') !== true) {
    const [, name = '', value = ''] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? [];
    if (name === '') throw invalid(`${instruction} must have two arguments`);
    return [[name, oneWord(value, variables)]];
  }
  return list.map((word) => {
    const at = word.indexOf('=');
    if (at < 0)
      throw invalid(
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    if (at === 0) throw invalid(`${instruction} names can not be blank`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

function withEnv(env: string[], pairs: [string, string][]): string[] {
  const values = new Map(env.map((entry) => [entry.split('=', 1)[0] ?? '', entry]));
  for (const [name, value] of pairs) values.set(name, `${name}=${value}`);
  return [...values.values()];
}

/** `80`, `80/udp`, `8000-8003/tcp`. */
function portsOf(text: string): string[] {
  const [, first = '', last, protocol = 'tcp'] = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? [];
  const from = Number(first);
  const to = Number(last ?? first);
  if (first === '' || from < 1 || to > 65_535 || from > to) throw invalid(`Invalid containerPort: ${text}`);
  return Array.from({ length: to - from + 1 }, (_, index) => `${from + index}/${protocol.toLowerCase()}`);
}

function signalOf(text: string): string {
  const isNumber = /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 64;
  const isName =
    /^(SIG)?(HUP|INT|QUIT|ILL|TRAP|ABRT|IOT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD|CLD|CONT|STOP|TSTP|TTIN|TTOU|URG|XCPU|XFSZ|VTALRM|PROF|WINCH|IO|POLL|PWR|SYS|RTMIN(\+\d{1,2})?|RTMAX(-\d{1,2})?)$/.test(
      text.toUpperCase(),
    );
  if (!isNumber && !isName) throw invalid(`invalid signal: ${text}`);
  return text;
}

function triggerOf(rest: string): string {
  const trigger = (rest.split(/\s/, 1)[0] ?? '').toUpperCase();
  if (trigger === '') throw invalid('ONBUILD requires at least one argument');
  if (trigger === 'ONBUILD') throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger === 'FROM' || trigger === 'MAINTAINER')
    throw invalid(`${trigger} isn't allowed as an ONBUILD trigger`);
  return rest;
}

function joinPath(base: string, path: string): string {
  const parts = (path.startsWith('/') ? path : `${base}/${path}`).split('/');
  const clean: string[] = [];
  for (const part of parts) {
    if (part === '..') clean.pop();
    else if (part !== '' && part !== '.') clean.push(part);
  }
  return `/${clean.join('/')}`;
}

function single({ instruction, rest, variables }: Change): string {
  const list = jsonStrings(rest) ?? [oneWord(rest, variables)];
  if (list.length !== 1 || list[0] === undefined || list[0] === '')
    throw invalid(`${instruction} requires exactly one argument`);
  return list[0];
}

function union(a: string[], b: string[]): string[] {
  return [...new Set([...a, ...b])];
}

function invalid(message: string): EngineError {
  return new EngineError('invalid', message);
}
