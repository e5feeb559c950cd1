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

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
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
  const passwd = parsePasswd(readFile(root, '/etc/passwd', MAX_FILE_BYTES) ?? '');
  const groups = parseGroup(readFile(root, '/etc/group', MAX_FILE_BYTES) ?? '');
  const entry = findUser(passwd, userPart === '' ? '0' : userPart);
  const uid = entry?.uid ?? numericId(userPart);
  if (uid === undefined) {
    throw new EngineError('invalid', `unable to find user ${userPart}: no matching entries in passwd file`);
  }
  const gid = groupPart === '' ? (entry?.gid ?? 0) : groupId(groups, groupPart);
  const member =
    groupPart === '' && entry !== undefined
      ? groups.filter((group) => group.members.includes(entry.name))
      : [];
  const added = groupAdd.map((name) => addedGroup(groups, name));
  const additionalGids = [...new Set([gid, ...member.map((group) => group.gid), ...added])];
  return { uid, gid, additionalGids, home: entry?.home };
}

function findUser(passwd: PasswdEntry[], wanted: string): PasswdEntry | undefined {
  const uid = numericId(wanted);
  return passwd.find((entry) => entry.name === wanted || entry.uid === uid);
}

function groupId(groups: GroupEntry[], wanted: string): number {
  const number = numericId(wanted);
  const found = groups.find((group) => group.name === wanted || group.gid === number);
  const gid = found?.gid ?? number;
  if (gid === undefined) {
    throw new EngineError('invalid', `unable to find group ${wanted}: no matching entries in group file`);
  }
  return gid;
}

function addedGroup(groups: GroupEntry[], wanted: string): number {
  const number = numericId(wanted);
  const gid = groups.find((group) => group.name === wanted || group.gid === number)?.gid ?? number;
  if (gid === undefined) {
    throw new EngineError('invalid', `unable to find group ${wanted}: no matching entries in group file`);
  }
  return gid;
}

/** Undefined: not a number. @throws EngineError "invalid" for one that no id can be. */
function numericId(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return text === '' ? 0 : undefined;
  const id = Number(text);
  if (id > MAX_ID) throw new EngineError('invalid', `uids and gids must be in range 0-${MAX_ID}`);
  return id;
}

function parsePasswd(text: string): PasswdEntry[] {
  return records(text).flatMap(([name = '', , uid = '', gid = '', , home = '']) =>
    isId(uid) && isId(gid) ? [{ name, uid: Number(uid), gid: Number(gid), home }] : [],
  );
}

function parseGroup(text: string): GroupEntry[] {
  return records(text).flatMap(([name = '', , gid = '', members = '']) =>
    isId(gid)
      ? [{ name, gid: Number(gid), members: members.split(',').filter((member) => member !== '') }]
      : [],
  );
}

/** Lines that make no sense are passed over, as libc does: the file is the image's. */
function records(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'))
    .filter((fields) => fields[0] !== '');
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID;
}

function splitOnce(text: string): [string, string] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}
