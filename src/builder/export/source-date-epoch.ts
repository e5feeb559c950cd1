import { EngineError } from '../../errors/engine-error.ts';
import { quote } from '../../wire/quote.ts';

/** Years 0 to 9999, as JSON's times may have. */
const [FIRST, LAST] = [-62_167_219_200, 253_402_300_799];

/** Seconds since 1970, of a build argument or an output's attribute. Undefined for '', too. @throws EngineError "invalid" in BuildKit's words. */
export function readEpoch(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const refused = (why: string): EngineError =>
    new EngineError('invalid', `invalid ${name}: ${text}: strconv.ParseInt: parsing ${quote(text)}: ${why}`);
  if (!/^[+-]?[0-9]+$/.test(text)) throw refused('invalid syntax');
  const seconds = Number(text);
  if (seconds < FIRST || seconds > LAST) throw refused('value out of range');
  return seconds;
}
