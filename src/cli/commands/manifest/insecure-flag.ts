import type { Flag } from '../../flags/flag.ts';

export const INSECURE_FLAG: Flag = {
  name: 'insecure',
  kind: 'bool',
  usage: 'Let the registry speak plain HTTP or show any certificate',
};
