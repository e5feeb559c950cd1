import { EngineError } from '../../../errors/engine-error.ts';

/** `linux/arm64/v8` as the API takes it in a query; undefined when empty. */
export function platformJson(text: string): string | undefined {
  if (text === '') return undefined;
  const [os = '', architecture = '', variant, more] = text.split('/');
  if (os === '' || architecture === '' || more !== undefined)
    throw new EngineError(
      'invalid',
      `invalid platform: ${JSON.stringify(text)}: expected os/architecture[/variant]`,
    );
  return JSON.stringify({ architecture, os, ...(variant === undefined ? {} : { variant }) });
}
