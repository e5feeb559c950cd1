import { EngineError } from '../../errors/engine-error.ts';
import { readFileInRoot } from './root-path.ts';

export interface ResolvedUser {
  uid: number;
  gid: number;
  /** The main group first, as Docker has it. */
  additionalGids: number[];
  /** From passwd; undefined: no entry. */
  home: string | undefined;
}

const MAX_FILE_BYTES = 4 << 20;
const MAX_ID = 2 ** 31 - 1;

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/**
 * `user[:group]`, names or numbers, by the container's own /etc/passwd and /etc/group. Empty: root. `readFile`: another for a root in which
 * others work at the same time.
 *
 * @throws EngineError "invalid" for a name that is not there, in Docker's words.
 */
export function resolveUser(
  root: string,
  user: string,
  groupAdd: readonly string[],
  readFile: typeof readFileInRoot = readFileInRoot,
): ResolvedUser {
  const [userPart, groupPart] = splitOnce(user);
  const entry = findUser(
    readFile(root, '/etc/passwd', MAX_FILE_BYTES) ?? '',
    userPart === '' ? '0' : userPart,
  );
  const uid = entry?.uid ?? numericId(userPart);
  if (uid === undefined) {
    throw new EngineError('invalid', `unable to find user ${userPart}: no matching entries in passwd file`);
  }
  const wanted = [...(groupPart === '' ? [] : [groupPart]), ...groupAdd];
  const member = groupPart === '' ? entry?.name : undefined;
  const isAsked = wanted.length > 0 || member !== undefined;
  const groups = isAsked ? (readFile(root, '/etc/group', MAX_FILE_BYTES) ?? '') : '';
  const { ids, memberships } = findGroups(groups, { wanted, member });
  const [own, ...added] = groupPart === '' ? [entry?.gid ?? 0, ...ids] : ids;
  const gid = own ?? 0;
  return { uid, gid, additionalGids: [...new Set([gid, ...memberships, ...added])], home: entry?.home };
}

/** The home of a user's number or name; undefined: no entry. */
export function homeOf(
  root: string,
  user: string,
  readFile: typeof readFileInRoot = readFileInRoot,
): string | undefined {
  const [userPart] = splitOnce(user);
  return findUser(readFile(root, '/etc/passwd', MAX_FILE_BYTES) ?? '', userPart === '' ? '0' : userPart)
    ?.home;
}

function findUser(passwd: string, wanted: string): PasswdEntry | undefined {
  const number = numericId(wanted);
  let found: PasswdEntry | undefined;
  eachLine(passwd, (name, id, rest) => {
    if (name !== wanted && (number === undefined || Number(id) !== number)) return false;
    const [gid = '', , home = ''] = rest.split(':');
    if (!isId(gid)) return false;
    found = { name, uid: Number(id), gid: Number(gid), home };
    return true;
  });
  return found;
}

/** The numbers of what is wanted, in its order, and of the groups that have a member. @throws EngineError "invalid" in Docker's words. */
function findGroups(
  groups: string,
  { wanted, member }: { wanted: readonly string[]; member: string | undefined },
): { ids: number[]; memberships: number[] } {
  const numbers = wanted.map(numericId);
  const found: (number | undefined)[] = wanted.map(() => undefined);
  const memberships: number[] = [];
  eachLine(groups, (name, id, rest) => {
    const gid = Number(id);
    for (const [at, one] of wanted.entries())
      if (found[at] === undefined && (name === one || gid === numbers[at])) found[at] = gid;
    if (member !== undefined && rest.includes(member) && rest.split(',').includes(member))
      memberships.push(gid);
    return false;
  });
  const ids = wanted.map((name, at) => {
    const gid = found[at] ?? numbers[at];
    if (gid !== undefined) return gid;
    throw new EngineError('invalid', `unable to find group ${name}: no matching entries in group file`);
  });
  return { ids, memberships };
}

/** Undefined: not a number. @throws EngineError "invalid" for one that no id can be. */
function numericId(text: string): number | undefined {
  if (!/^[-+]?\d+$/.test(text)) return text === '' ? 0 : undefined;
  const id = Number(text);
  if (id < 0 || id > MAX_ID) throw new EngineError('invalid', `uids and gids must be in range 0-${MAX_ID}`);
  return id;
}

/**
 * Each line `name:password:id:rest`, until `visit` has had enough. Lines that make no sense are passed over, as libc does: the file is the image's,
 * or what a container has made of it, up to megabytes of lines, and the daemon waits.
 */
function eachLine(text: string, visit: (name: string, id: string, rest: string) => boolean): void {
  for (let at = 0; ; ) {
    const first = text.indexOf(':', at);
    if (first < 0) return;
    const start = Math.max(at, text.lastIndexOf('\n', first) + 1);
    const newline = text.indexOf('\n', first);
    const end = newline < 0 ? text.length : newline;
    at = end + 1;
    const second = text.indexOf(':', first + 1);
    if (second < 0 || second > end) continue;
    const third = text.indexOf(':', second + 1);
    const idEnd = third < 0 || third > end ? end : third;
    const id = text.slice(second + 1, idEnd).trimEnd();
    const name = text.slice(start, first).trimStart();
    if (name === '' || name.startsWith('#') || !isId(id)) continue;
    if (visit(name, id, text.slice(Math.min(idEnd + 1, end), end).trimEnd())) return;
  }
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID;
}

function splitOnce(text: string): [string, string] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}
