import { EngineError } from '../../../errors/engine-error.ts';

/** A template that can't be parsed or executed, in Go's words without the name of the template in front. */
export class TemplateError extends EngineError {
  readonly phase: 'parse' | 'execute';

  constructor(phase: 'parse' | 'execute', message: string) {
    super('invalid', message);
    this.name = 'TemplateError';
    this.phase = phase;
  }
}
