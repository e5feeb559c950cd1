import { EngineError } from '../../errors/engine-error.ts';
import { parseBool } from '../../text/parse-bool.ts';
import { parseSeccompProfile, type SeccompProfile } from './seccomp.ts';

export interface SecurityOptions {
  noNewPrivileges: boolean;
  seccomp: 'default' | 'unconfined' | SeccompProfile;
  /** undefined: the engine's default. */
  apparmor: string | undefined;
  labels: string[];
  unmaskedPaths: boolean;
  /** undefined: of a privileged container alone. */
  writableCgroups: boolean | undefined;
}

/** `--security-opt`. @throws EngineError "invalid" for an unknown option or value, in Docker's words. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const result: SecurityOptions = {
    noNewPrivileges: false,
    seccomp: 'default',
    apparmor: undefined,
    labels: [],
    unmaskedPaths: false,
    writableCgroups: undefined,
  };
  for (const option of options) apply(result, option);
  return result;
}

/** The AppArmor profile that options ask for, the last of them. */
export function askedAppArmor(options: readonly string[]): string | undefined {
  return options.map(splitOption).findLast(([name]) => name === 'apparmor')?.[1];
}

function apply(result: SecurityOptions, option: string): void {
  const [name, value] = splitOption(option);
  switch (name) {
    case 'no-new-privileges':
      result.noNewPrivileges = booleanOf(value ?? 'true', option);
      return;
    case 'seccomp':
      result.seccomp = seccompOf(value ?? '');
      return;
    case 'apparmor':
      result.apparmor = value ?? '';
      return;
    case 'label':
      result.labels.push(value ?? '');
      return;
    case 'systempaths':
      if (value !== 'unconfined') throw invalid(option);
      result.unmaskedPaths = true;
      return;
    case 'writable-cgroups':
      result.writableCgroups = booleanOf(value ?? 'true', option);
      return;
    default:
      throw invalid(option);
  }
}

function splitOption(option: string): [string, string | undefined] {
  const at = option.search(/[=:]/);
  return at < 0 ? [option, undefined] : [option.slice(0, at), option.slice(at + 1)];
}

function seccompOf(value: string): SecurityOptions['seccomp'] {
  if (value === 'unconfined') return 'unconfined';
  if (value === 'builtin' || value === 'default') return 'default';
  return parseSeccompProfile(value);
}

function booleanOf(value: string, option: string): boolean {
  const found = parseBool(value);
  if (found === undefined) throw invalid(option);
  return found;
}

function invalid(option: string): EngineError {
  return new EngineError('invalid', `invalid --security-opt 2: ${JSON.stringify(option)}`);
}
