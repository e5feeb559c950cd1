import { constants } from 'node:os';
import { EngineError, messageOf } from '../errors/engine-error.ts';

const SIGRTMIN = 34;
const SIGRTMAX = 64;

/**
 * The number of a signal as users write it: `KILL`, `SIGKILL`, `9`, `RTMIN+3`.
 *
 * @throws EngineError "invalid" `invalid signal: x`, or in Docker's words for a number that is none.
 */
export function parseSignal(text: string): number {
  const number = /^[-+]?\d+$/.test(text) ? Number(text) : named(text.toUpperCase().replace(/^SIG/, ''));
  if (number === undefined || number === 0) throw new EngineError('invalid', `invalid signal: ${text}`);
  if (number < 0 || number > SIGRTMAX)
    throw new EngineError('invalid', `the linux daemon does not support signal ${number}`);
  return number;
}

/** @throws EngineError "invalid" `<what failed>: invalid signal: x`; undefined leaves the signal to the container. */
export function checkSignal(text: string | undefined, failed: string): void {
  if (text === undefined) return;
  try {
    parseSignal(text);
  } catch (error) {
    throw new EngineError('invalid', `${failed}: ${messageOf(error)}`, { cause: error });
  }
}

function named(name: string): number | undefined {
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime === null) return (constants.signals as Record<string, number>)[`SIG${name}`];
  const [, base, sign, offset] = realTime;
  if (sign !== undefined && sign !== (base === 'MIN' ? '+' : '-')) return undefined;
  const distance = Number(offset ?? 0);
  const number = base === 'MIN' ? SIGRTMIN + distance : SIGRTMAX - distance;
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : undefined;
}

export const SIGKILL = constants.signals.SIGKILL;
export const SIGTERM = constants.signals.SIGTERM;
