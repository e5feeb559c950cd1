import { EngineError, messageOf } from '../../../errors/engine-error.ts';
import { parsePlatform } from '../../../oci/platform.ts';

/**
 * `linux/arm64/v8` as the API takes it in a query; undefined when empty. A part that is left out is the host's.
 *
 * @throws EngineError "invalid"; `options.prefix` goes before the reason.
 */
export function platformJson(text: string, options: { prefix?: string } = {}): string | undefined {
  if (text === '') return undefined;
  try {
    const { os, architecture, variant } = parsePlatform(text);
    return JSON.stringify({ architecture, os, ...(variant === undefined ? {} : { variant }) });
  } catch (error) {
    throw new EngineError('invalid', `${options.prefix ?? ''}${messageOf(error)}`, { cause: error });
  }
}
