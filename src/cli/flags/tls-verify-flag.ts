import type { Flag } from './flag.ts';

/** `--tls-verify=false`, for one command and its registries. */
export const TLS_VERIFY_FLAG: Flag = {
  name: 'tls-verify',
  kind: 'bool',
  usage: 'Check the registry\'s certificate; "false" lets it speak plain HTTP too, for this command',
  default: 'true',
};
