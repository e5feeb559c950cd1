import { zshScript } from '../../completion/shells/zsh.ts';
import { shellCommand } from './shell-command.ts';

export const command = shellCommand({
  shell: 'zsh',
  long: 'For this shell:\n\n  source <(sampan completion zsh)\n\nFor every shell, into a folder of $fpath:\n\n  sampan completion zsh > ~/.zfunc/_sampan',
  script: zshScript,
});
