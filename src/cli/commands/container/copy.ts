import { EngineError } from '../../../errors/engine-error.ts';
import type { Command } from '../../command.ts';
import { withInterrupt } from '../../terminal/interrupt.ts';
import { copyFromContainer } from './copy/copy-from-container.ts';
import { copyToContainer } from './copy/copy-to-container.ts';
import { splitArgument } from './copy/local-path.ts';

export const command: Command = {
  usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  long: `Copy files and folders between a container, running or not, and the local file system

With '-' as the source, the tar archive on stdin is unpacked into a directory of
the container; with '-' as the destination, what is in the container is written
to stdout as one. A directory's name with '/.' behind it stands for its content.
In SRC_PATH of a container '*', '?' and '[a-z]' stand for any names, found there.`,
  flags: [
    { name: 'archive', short: 'a', kind: 'bool', usage: "Give everything to the container's user" },
    { name: 'follow-link', short: 'L', kind: 'bool', usage: 'Copy what a link in SRC_PATH leads to' },
    {
      name: 'quiet',
      short: 'q',
      kind: 'bool',
      usage: 'Say nothing of what is copied; so by itself where the output is no terminal',
    },
  ],
  args: { min: 2, max: 2 },
  examples: [
    'cp web:/etc/nginx/nginx.conf .',
    'cp site/. web:/usr/share/nginx/html',
    "cp 'web:/var/log/*.log' logs/",
    'cp web:/data - | tar -t',
  ],
  async run(invocation) {
    const { context, flags, args } = invocation;
    const [from = '', to = ''] = args;
    if (from === '') throw new EngineError('invalid', 'source can not be empty');
    if (to === '') throw new EngineError('invalid', 'destination can not be empty');
    const [source, destination] = [splitArgument(from), splitArgument(to)];
    if (source.container !== '' && destination.container !== '')
      throw new EngineError('invalid', 'copying between containers is not supported');
    if (source.container === '' && destination.container === '')
      throw new EngineError('invalid', 'must specify at least one container source');
    const request = {
      container: source.container || destination.container,
      source: source.path,
      destination: destination.path,
      follow: flags.bool('follow-link'),
      toUser: flags.bool('archive'),
      quiet: flags.changed('quiet') ? flags.bool('quiet') : !context.stdout.isTerminal,
    };
    const copy = source.container === '' ? copyToContainer : copyFromContainer;
    await withInterrupt((signal) => copy(invocation, request, signal));
    return 0;
  },
};
