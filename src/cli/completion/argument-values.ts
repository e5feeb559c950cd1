import type { Command } from '../command.ts';
import { FILES, FOLDERS, NOTHING, type Source } from './completion.ts';
import {
  containerNames,
  containersOnNetwork,
  contextNames,
  imageNames,
  networkNames,
  objectNames,
  runningContainers,
  stoppedContainers,
  volumeNames,
} from './object-names.ts';

const running = containerNames({ all: false });
const anyState = containerNames();

/** Commands for which not every container will do. */
const CONTAINERS: Readonly<Record<string, Source>> = {
  'container attach': runningContainers,
  'container commit': running,
  'container diff': running,
  'container exec': runningContainers,
  'container kill': running,
  'container pause': runningContainers,
  'container port': running,
  'container rm': (question) => (question.isSet('force') ? anyState : stoppedContainers)(question),
  'container start': stoppedContainers,
  'container stats': running,
  'container stop': running,
  'container top': running,
  'container unpause': containerNames({ all: false, fits: ({ State }) => State === 'paused' }),
  'container wait': running,
  'network connect': containersOnNetwork(false),
  'network disconnect': containersOnNetwork(true),
};

/** Commands whose first argument is a name that isn't there yet. */
const NEW_NAMES = ['network create', 'volume create', 'context create', 'context import'];

/**
 * What argument number `index` of a command may be, told by its usage line: `[OPTIONS] NETWORK CONTAINER`. `path`: the command's first
 * name.
 */
export function argumentSource(path: string, command: Command, index: number): Source {
  const words = argumentWords(command.usage);
  const last = words.at(-1);
  const word = words[index] ?? (last?.repeats === true ? last : undefined);
  if (word === undefined || (index === 0 && NEW_NAMES.includes(path))) return () => NOTHING;
  return sourceOf(path, word.name);
}

function sourceOf(path: string, name: string): Source {
  if (path === 'image build') return () => FOLDERS;
  if (path === 'inspect') return objectNames;
  if (path === 'container cp' || /\bfile\b|\bFILE\b|^-$/.test(name)) return () => FILES;
  if (name === 'CONTAINER') return CONTAINERS[path] ?? anyState;
  if (name === 'NETWORK') return networkNames;
  if (name === 'VOLUME') return volumeNames;
  if (name === 'CONTEXT') return contextNames;
  if (/^(?:IMAGE|NAME|OTHER|SOURCE_IMAGE|TARGET_IMAGE|REPOSITORY|SOURCE|TARGET)(?:\[|$)/.test(name))
    return path.startsWith('registry ') ? () => NOTHING : imageNames;
  return () => NOTHING;
}

interface ArgumentWord {
  name: string;
  repeats: boolean;
}

/** `CONTAINER [CONTAINER...]` is one that repeats; `REPOSITORY[:TAG]` keeps its brackets, optional ones lose theirs. */
function argumentWords(usage: string): ArgumentWord[] {
  const [line = ''] = usage.split('\n');
  const found: ArgumentWord[] = [];
  for (const text of line.replaceAll(' | ', '|').split(' ')) {
    if (text === '' || text === '[OPTIONS]') continue;
    const name = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
    const repeats = name.endsWith('...');
    const bare = name.replace(/\.\.\.$/, '');
    const before = found.at(-1);
    if (repeats && before?.name === bare) before.repeats = true;
    else found.push({ name: bare, repeats });
  }
  return found;
}
