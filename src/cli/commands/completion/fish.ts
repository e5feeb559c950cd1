import { fishScript } from '../../completion/shells/fish.ts';
import { shellCommand } from './shell-command.ts';

export const command = shellCommand({
  shell: 'fish',
  long: 'For this shell:\n\n  sampan completion fish | source\n\nFor every shell of yours:\n\n  sampan completion fish > ~/.config/fish/completions/sampan.fish',
  script: fishScript,
});
