import { bashScript } from '../../completion/shells/bash.ts';
import { shellCommand } from './shell-command.ts';

export const command = shellCommand({
  shell: 'bash',
  long: 'For this shell:\n\n  source <(sampan completion bash)\n\nFor every shell of yours:\n\n  sampan completion bash > ~/.local/share/bash-completion/completions/sampan',
  script: bashScript,
});
