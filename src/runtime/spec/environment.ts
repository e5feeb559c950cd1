const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface EnvironmentInput {
  hostname: string;
  terminal: boolean;
  /** `NAME=value`, or `NAME` to take a default, or what stands before it, away. Later ones win. */
  env: readonly string[];
}

/** Defaults first; what the image or the user says replaces them in place. `home`: from the user's entry in passwd, undefined: no entry. */
export function processEnvironment(input: EnvironmentInput, home: string | undefined): string[] {
  const variables = new Map<string, string>([
    ['PATH', DEFAULT_PATH],
    ...(input.hostname === '' ? [] : [['HOSTNAME', input.hostname] as const]),
    ...(input.terminal ? [['TERM', 'xterm'] as const] : []),
  ]);
  for (const entry of input.env) {
    const equals = entry.indexOf('=');
    if (equals < 0) variables.delete(entry);
    else variables.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  if (variables.get('HOME') === '') variables.delete('HOME');
  // For a user who is in passwd both runtimes look it up; crun leaves it out for another.
  if (home === undefined && !variables.has('HOME')) variables.set('HOME', '/');
  return [...variables].map(([name, value]) => `${name}=${value}`);
}
