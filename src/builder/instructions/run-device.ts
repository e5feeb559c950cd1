import { DockerfileError } from '../parser/dockerfile-error.ts';
import type { RunDevice } from './instruction.ts';
import { cutOption, optionFields, requireBool } from './option-fields.ts';
import { didYouMean } from './suggest.ts';

/** One `RUN --device`: `name[,required]`. @throws DockerfileError without a range. */
export function readRunDevice(text: string): RunDevice {
  let name = '';
  let required = false;
  for (const field of optionFields(text, 'devices')) {
    const { key, value } = cutOption(field);
    if (key === 'required') required = value === undefined || requireBool(key, value);
    else if (key === 'name' && value !== undefined) {
      if (name !== '') throw new DockerfileError(`device name already set to ${name}`);
      name = value;
    } else if (name === '') name = field;
    else if (value === undefined)
      throw new DockerfileError(`invalid field '${field}' must be a key=value pair`);
    else {
      const near = didYouMean(key, ['name', 'required']);
      throw new DockerfileError(`unexpected key '${key}' in '${field}'${near}`);
    }
  }
  return { name, required };
}
