import { EngineError, type ErrorCode } from '../errors/engine-error.ts';

const DOCKER_PREFIX = 'failed to create task for container: failed to create shim task: ';
const CREATE_PREFIX = `${DOCKER_PREFIX}OCI runtime create failed: runc create failed: `;
const MAX_MESSAGE = 4096;
/** What a working directory leads through, or is, is a file. */
const WRONG_FOLDER = /\b(?:chdir|mkdir)\b.*"(?<folder>[^"]*)".*: not a directory$/;

/**
 * What crun or runc said about a failed `create`, in the words of the runc that Docker ships: clients look for parts of it.
 *
 * `command` is the first word of the container's command line: crun doesn't always repeat it.
 */
export function createError(said: string, command: string): EngineError {
  const plain = runcWords(said.slice(0, MAX_MESSAGE), command);
  const folder = WRONG_FOLDER.exec(plain)?.groups?.['folder'];
  // Docker makes it before it calls the runtime.
  if (folder !== undefined) return new EngineError('invalid', `Cannot mkdir: ${folder} is not a directory`);
  const words = withMountHint(plain);
  const text = `${CREATE_PREFIX}${words}`;
  const code = commandCode(words);
  return new EngineError(
    code === undefined ? 'internal' : 'invalid',
    text,
    code === undefined ? {} : { code },
  );
}

/** The same for `start`. */
export function startError(said: string): EngineError {
  const words = lastMessage(said);
  const code = commandCode(words);
  return new EngineError(
    code === undefined ? 'internal' : 'invalid',
    `failed to start task for container: OCI runtime start failed: ${words}`,
    code === undefined ? {} : { code },
  );
}

/** The same for `exec`. */
export function execError(said: string, command: string, containerId: string): EngineError {
  const message = lastMessage(said.slice(0, MAX_MESSAGE));
  if (
    /^the container .* is not running|cannot exec in a stopped container$|^container .* does not exist/.test(
      message,
    )
  )
    return new EngineError('conflict', `container ${containerId} is not running`);
  const words = execWords(message, command);
  const code = commandCode(words);
  return new EngineError(
    code === undefined ? 'internal' : 'invalid',
    `OCI runtime exec failed: exec failed: ${words}`,
    code === undefined ? {} : { code },
  );
}

function execWords(message: string, command: string): string {
  const fromRunc = /^(?:runc )?exec failed: (?<rest>[^]*)$/.exec(message)?.groups?.['rest'];
  if (fromRunc !== undefined) return fromRunc;
  const folder = /^chdir `(?<folder>.*)`: (?<why>.*)$/.exec(message)?.groups;
  const words =
    folder === undefined
      ? crunWords(message, command)
      : lowerReason(
          `chdir to cwd (${quote(folder['folder'] ?? '')}) set in config.json failed: ${folder['why']}`,
        );
  return `unable to start container process: ${words}`;
}

/** Docker's rule, which decides on exit codes 127 and 126 at the client. */
export function commandCode(words: string): ErrorCode | undefined {
  if (/executable file not found|no such file or directory/.test(words)) return 'command-not-found';
  if (/permission denied|is a directory/.test(words)) return 'command-not-executable';
  return undefined;
}

function runcWords(said: string, command: string): string {
  const message = lastMessage(said);
  const fromRunc = /^runc create failed: (?<rest>[^]*)$/.exec(message)?.groups?.['rest'];
  if (fromRunc !== undefined)
    return fromRunc.replace(/^(unable to start container process: )(?=exec: )/, `$1${INIT}`);
  return `unable to start container process: ${INIT}${crunWords(message, command)}`;
}

const INIT = 'error during container init: ';

function crunWords(message: string, command: string): string {
  const aboutCommand = commandWords(message, command);
  if (aboutCommand !== undefined) return aboutCommand;
  const mount = /^mount `(?<source>[^`]*)` to `\/?(?<target>[^`]*)`: (?<why>.*)$/.exec(message)?.groups;
  if (mount !== undefined)
    return mountWords(mount['source'] ?? '', `/${mount['target']}`, mount['why'] ?? '');
  const source = /^error stat'ing file `(?<source>[^`]*)`: (?<why>.*)$/.exec(message)?.groups;
  if (source !== undefined)
    return lowerReason(
      `error mounting "${source['source']}" to rootfs: stat ${source['source']}: ${source['why']}`,
    );
  return lowerReason(message.replaceAll('`', '"'));
}

/** What crun says of the command, old (1.8) and new (1.29), in Go's words; undefined: it speaks of something else. */
function commandWords(message: string, command: string): string | undefined {
  if (/^(cannot find|executable file) `.*` (in \$PATH|not found)/.test(message)) return notFound(command);
  const opened = /^open (?:executable|`(?<path>[^`]*)`): (?<why>.*)$/.exec(message)?.groups;
  const path = opened?.['path'];
  const isCommand = path === undefined || path === command || path.endsWith(`/${command}`);
  const why = isCommand ? opened?.['why'] : undefined;
  if (why === 'Not a directory') return `exec: ${quote(command)}: stat ${command}: not a directory`;
  const denied =
    why === 'Permission denied' || /^the path `.*` exists but it is not executable/.test(message);
  const irregular =
    why === 'Operation not permitted' ||
    why === 'Is a directory' ||
    /^the path `.*` is not a regular file/.test(message);
  if (!denied && !irregular) return undefined;
  // By name, Go passes over what it can't execute and goes on along the PATH.
  if (!command.includes('/')) return notFound(command);
  return `exec: ${quote(command)}: ${irregular ? 'is a directory: ' : ''}permission denied`;
}

function notFound(command: string): string {
  return command.includes('/')
    ? `exec: ${quote(command)}: stat ${command}: no such file or directory`
    : `exec: ${quote(command)}: executable file not found in $PATH`;
}

function mountWords(source: string, target: string, why: string): string {
  return lowerReason(
    `error mounting "${source}" to rootfs at "${target}": mount src=${source}, dst=${target}: ${why}`,
  );
}

/** What Docker adds, whatever the folder was wanted for, and people search for. */
function withMountHint(words: string): string {
  if (!words.endsWith(': not a directory')) return words;
  return `${words}: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type`;
}

/** crun ends with glibc's `strerror` ("No such file or directory"), Go's texts are the same in lower case. */
function lowerReason(message: string): string {
  const colon = message.lastIndexOf(': ');
  if (colon < 0) return message;
  const reason = message.slice(colon + 2);
  return `${message.slice(0, colon + 2)}${reason.charAt(0).toLowerCase()}${reason.slice(1)}`;
}

/** The error among what a runtime wrote to stderr: plain lines (crun), `time=… level=error msg="…"` (runc), or JSON. */
export function lastMessage(said: string): string {
  const lines = said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const errors = lines.filter(
    (line) => !/level="?(warning|info|debug)/.test(line) && !/\[(warning|debug)]/.test(line),
  );
  const line = errors.at(-1) ?? lines.at(-1) ?? 'the runtime gave no reason';
  const quoted = /\bmsg=(?<text>"(?:[^"\\]|\\.)*")/.exec(line)?.groups?.['text'];
  if (quoted === undefined) return line.replace(/^\S+Z?: ?(?=\[)/, '').replace(/^error: /, '');
  try {
    return String(JSON.parse(quoted));
  } catch {
    return quoted.slice(1, -1);
  }
}

function quote(text: string): string {
  return JSON.stringify(text);
}
