/**
 * Completion for zsh, as a file of `$fpath` or sourced after compinit.
 *
 * @param call `__complete`, or `__completeNoDesc`.
 */
export function zshScript(program: string, call: string): string {
  return SCRIPT.replaceAll('@PROGRAM@', program).replaceAll('@CALL@', call);
}

const SCRIPT = String.raw`#compdef @PROGRAM@
# zsh completion of @PROGRAM@, which answers itself what fits: @PROGRAM@ @CALL@ WORD...

_@PROGRAM@() {
  local -a typed lines found
  local line directive value about
  typed=("\${(@Q)words[2,CURRENT]}")
  lines=("\${(@f)$(\${(Q)words[1]/#\~/$HOME} @CALL@ "\${typed[@]}" 2>/dev/null)}")
  directive=\${lines[-1]#:}
  lines[-1]=()
  [[ $directive == <-> ]] || return 1
  ((directive & 1)) && return 1
  # The value of --flag=value is completed alone.
  [[ $PREFIX == --*=* ]] && compset -P "\${PREFIX%%=*}="
  for line in "\${lines[@]}"; do
    value=\${\${line%%$'\t'*}//:/\\:}
    about=\${line#*$'\t'}
    [[ $about == "$line" ]] && found+=("$value") || found+=("$value:$about")
  done
  if ((\${#found} == 0)); then
    if ((directive & 16)); then
      _files -/
    elif ((!(directive & 4))); then
      _files
    fi
    return
  fi
  if ((directive & 2)); then
    _describe -V value found -S ''
  else
    _describe -V value found
  fi
}

if [[ $funcstack[1] == _@PROGRAM@ ]]; then
  _@PROGRAM@ "$@"
else
  compdef _@PROGRAM@ @PROGRAM@
fi
`.replaceAll(String.raw`\${`, '${');
