import type { Healthcheck } from '../../oci/image-config.ts';
import { quote } from '../../wire/quote.ts';
import { parseDuration } from '../../wire/time.ts';
import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { DockerfileNode } from '../parser/parsed-dockerfile.ts';
import { type GivenFlags, readFlags } from './flags.ts';
import type { HealthcheckInstruction } from './instruction.ts';
import { commandArguments, requireSome, sourceOf } from './instruction-request.ts';

const NO_TIMES = { intervalNs: 0n, timeoutNs: 0n, startPeriodNs: 0n, startIntervalNs: 0n, retries: 0 };
const UNITS = ['ns', 'us', 'µs', 'μs', 'ms', 's', 'm', 'h'];
const MILLISECOND = 1_000_000n;

/** @throws DockerfileError without a range. */
export function readHealthcheck(node: DockerfileNode): HealthcheckInstruction {
  requireSome('HEALTHCHECK', node.args);
  const type = (node.args[0] ?? '').toUpperCase();
  const rest = node.args.slice(1);
  const healthcheck = type === 'NONE' ? none(rest) : command(type, rest, node);
  return { kind: 'healthcheck', ...sourceOf(node), healthcheck };
}

function none(rest: readonly string[]): Healthcheck {
  if (rest.length > 0) throw new DockerfileError('HEALTHCHECK NONE takes no arguments');
  return { test: ['NONE'], ...NO_TIMES };
}

function command(type: string, rest: readonly string[], node: DockerfileNode): Healthcheck {
  const flags = readFlags(node.flags, {
    interval: 'string',
    timeout: 'string',
    'start-period': 'string',
    'start-interval': 'string',
    retries: 'string',
  });
  if (type !== 'CMD') throw new DockerfileError(`Unknown type ${quote(type)} in HEALTHCHECK (try CMD)`);
  const words = commandArguments(rest, node.json);
  if (words.length === 0) throw new DockerfileError('Missing command after HEALTHCHECK CMD');
  return {
    test: [node.json ? 'CMD' : 'CMD-SHELL', ...words],
    intervalNs: durationOf(flags, 'interval'),
    timeoutNs: durationOf(flags, 'timeout'),
    startPeriodNs: durationOf(flags, 'start-period'),
    startIntervalNs: durationOf(flags, 'start-interval'),
    retries: retriesOf(flags.string('retries')),
  };
}

function durationOf(flags: GivenFlags, name: string): bigint {
  const text = flags.string(name);
  if (text === '') return 0n;
  const duration = parseDuration(text);
  if (duration === undefined) throw new DockerfileError(invalidDuration(text));
  if (duration !== 0n && duration < MILLISECOND) {
    throw new DockerfileError(`Interval ${quote(name)} cannot be less than 1ms`);
  }
  return duration;
}

/** In the words of Go's `time.ParseDuration`. */
function invalidDuration(text: string): string {
  for (let rest = text.replace(/^[+-]/, ''); rest !== ''; ) {
    const number = /^(?:\d+(?:\.\d*)?|\.\d+)/.exec(rest)?.[0];
    if (number === undefined) break;
    const unit = /^[^\d.]*/.exec(rest.slice(number.length))?.[0] ?? '';
    if (unit === '') return `time: missing unit in duration ${quote(text)}`;
    if (!UNITS.includes(unit)) return `time: unknown unit ${quote(unit)} in duration ${quote(text)}`;
    rest = rest.slice(number.length + unit.length);
  }
  return `time: invalid duration ${quote(text)}`;
}

function retriesOf(text: string): number {
  if (text === '') return 0;
  if (!/^[+-]?\d+$/.test(text)) {
    throw new DockerfileError(`strconv.ParseInt: parsing ${quote(text)}: invalid syntax`);
  }
  const retries = Number(text);
  if (retries > 0x7fff_ffff || retries < -0x8000_0000) {
    throw new DockerfileError(`strconv.ParseInt: parsing ${quote(text)}: value out of range`);
  }
  if (retries < 0) throw new DockerfileError(`--retries cannot be negative (${retries})`);
  return retries;
}
