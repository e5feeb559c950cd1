import { existsSync, readFileSync } from 'node:fs';

/** What Docker calls the profile that containers have where nothing else is said. */
export const DEFAULT_PROFILE = 'docker-default';

/** Of the host: whether its kernel confines by AppArmor, and the names of the profiles that are loaded. */
export interface AppArmorHost {
  enabled: boolean;
  /** Whether they are to be seen: a container's securityfs is empty. */
  hasProfiles: boolean;
  profiles: () => ReadonlySet<string>;
}

/**
 * The profile of a container's processes; undefined: none is set. A host without AppArmor starts containers all the same, as Docker does; one where nobody
 * has loaded the default profile has them unconfined. A profile that was asked for and isn't there is refused by the OCI runtime.
 */
export function apparmorProfile(
  asked: string | undefined,
  { privileged }: { privileged: boolean },
  host: Pick<AppArmorHost, 'enabled' | 'profiles'> = appArmorHost,
): string | undefined {
  if (!host.enabled) return undefined;
  if (asked !== undefined && asked !== '') return asked;
  if (privileged) return 'unconfined';
  return host.profiles().has(DEFAULT_PROFILE) ? DEFAULT_PROFILE : undefined;
}

const PROFILES = '/sys/kernel/security/apparmor/profiles';

export const appArmorHost: AppArmorHost = {
  // For as long as the kernel runs.
  enabled: readText('/sys/module/apparmor/parameters/enabled').startsWith('Y'),
  hasProfiles: existsSync(PROFILES),
  profiles: () => profileNames(readText(PROFILES)),
};

/** Lines `name (mode)`; a name may have blanks. */
export function profileNames(text: string): Set<string> {
  return new Set(text.split('\n').flatMap((line) => /^(.+) \([^()]*\)$/.exec(line)?.[1] ?? []));
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
