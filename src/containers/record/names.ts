import { randomInt } from 'node:crypto';
import { EngineError } from '../../errors/engine-error.ts';

const ADJECTIVES =
  'agile amber brave breezy bright calm candid clever coastal cosy crisp daring deft eager early easy fair fleet fond frank gentle glad golden handy happy hardy keen kind light lively lucid lucky mellow merry mild misty neat nimble noble patient placid plucky polite prime proud quick quiet rapid ready serene silver smooth snug sober steady still sunny swift tidy tranquil trim trusty upbeat vivid warm wise witty';
const VESSELS =
  'barge bark brig caique canoe caravel catboat clipper cog coracle corvette currach cutter dhow dinghy dory felucca ferry frigate galleon galley gig gondola hoy jolly junk kayak ketch lateen lighter longship lugger packet pinnace pirogue pram proa punt raft sampan schooner scow shallop skiff sloop smack tender tjalk trawler trimaran tug umiak wherry xebec yacht yawl';

const adjectives = ADJECTIVES.split(' ');
const vessels = VESSELS.split(' ');

/** A name nobody has yet: `swift_ketch`, with a number where the words run out. */
export function generateName(isTaken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const words = `${pick(adjectives)}_${pick(vessels)}`;
    const name = attempt < 8 ? words : `${words}${randomInt(10 ** Math.min(attempt - 6, 9))}`;
    if (!isTaken(name)) return name;
  }
}

function pick(words: readonly string[]): string {
  return words[randomInt(words.length)] ?? '';
}

/** @throws EngineError "invalid" in Docker's words. */
export function checkName(name: string): string {
  const bare = name.replace(/^\//, '');
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(bare)) return bare;
  throw new EngineError(
    'invalid',
    `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
  );
}
