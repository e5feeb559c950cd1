import { EngineError } from '../../../../errors/engine-error.ts';

/** `no`, `always`, `on-failure:3`; which names there are is the daemon's to say. */
export function parseRestartPolicy(text: string): { Name: string; MaximumRetryCount: number } {
  if (text === '') return { Name: '', MaximumRetryCount: 0 };
  const [name = '', count, more] = text.split(':');
  if (name === '')
    throw new EngineError('invalid', 'invalid restart policy format: no policy provided before colon');
  if (more !== undefined)
    throw new EngineError('invalid', `invalid restart policy format: maximum retry count must be an integer`);
  if (count !== undefined && !/^[+-]?\d+$/.test(count))
    throw new EngineError('invalid', 'invalid restart policy format: maximum retry count must be an integer');
  return { Name: name, MaximumRetryCount: Number(count ?? 0) };
}
