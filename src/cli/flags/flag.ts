/** What a flag takes; the name of the type as help shows it where it isn't the kind's own. */
export type FlagKind =
  | 'bool'
  | 'string'
  | 'int'
  | 'uint16'
  | 'list'
  | 'strings'
  | 'map'
  | 'bytes'
  | 'decimal'
  | 'duration';

export interface Flag {
  name: string;
  short?: string;
  kind: FlagKind;
  /** Help text. */
  usage: string;
  /** Value when it isn't given, as text; help shows it unless it is the kind's zero. */
  default?: string;
  /** Type name in help: `filter`, `mount`, `network`, `ulimit`. */
  typeName?: string;
  /** The default as help shows it, where that isn't `default`. */
  shownDefault?: string;
  /** Accepted and not shown. */
  hidden?: boolean;
  /** The API version that the daemon has to speak for it. */
  sinceApi?: string;
  /** Refuses a value: returns Docker's reason. */
  check?: (value: string) => string | undefined;
  /** The value when the flag is given bare (`--pull` of a later command, say); bool flags have "true". */
  bareValue?: string;
}

export const HELP_FLAG: Flag = { name: 'help', kind: 'bool', usage: 'Print usage' };

const ZERO: Record<FlagKind, string> = {
  bool: 'false',
  string: '',
  int: '0',
  uint16: '0',
  list: '',
  strings: '',
  map: '',
  bytes: '0',
  decimal: '0',
  duration: '0s',
};

export function zeroOf(kind: FlagKind): string {
  return ZERO[kind];
}
