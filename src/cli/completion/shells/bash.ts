/**
 * Completion for bash 4 and newer, without the package bash-completion. What was typed is passed on as it stands and never evaluated.
 *
 * @param call `__complete`, or `__completeNoDesc`.
 */
export function bashScript(program: string, call: string): string {
  return SCRIPT.replaceAll('@PROGRAM@', program).replaceAll('@CALL@', call);
}

const SCRIPT =
  String.raw`# bash completion of @PROGRAM@, which answers itself what fits: @PROGRAM@ @CALL@ WORD...

# The words before the cursor: bash takes them apart at = and : as well as at blanks.
__@PROGRAM@_words() {
  local rest=$COMP_LINE piece blanks i
  words=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    piece=\${COMP_WORDS[i]}
    blanks=\${rest%%[![:space:]]*}
    rest=\${rest#"$blanks"}
    rest=\${rest#"$piece"}
    if ((i > 0)) && [[ -z $blanks && ($piece == [=:]* || \${COMP_WORDS[i - 1]} == *[=:]) ]]; then
      words[\${#words[@]} - 1]+=$piece
    else
      words+=("$piece")
    fi
  done
}

__@PROGRAM@_unquoted() {
  local word=$1
  word=\${word#[\"\']}
  word=\${word%[\"\']}
  REPLY=\${word//\\/}
}

__@PROGRAM@_complete() {
  local words word program lines line value directive typed kept widest=0 REPLY
  COMPREPLY=()
  __@PROGRAM@_words
  program=\${words[0]/#\~/$HOME}
  for word in "\${!words[@]}"; do
    __@PROGRAM@_unquoted "\${words[word]}"
    words[word]=$REPLY
  done
  mapfile -t lines < <("$program" @CALL@ "\${words[@]:1}" 2>/dev/null)
  ((\${#lines[@]} > 0)) || return 0
  directive=\${lines[-1]#:}
  unset 'lines[-1]'
  [[ $directive =~ ^[0-9]+$ ]] && ((!(directive & 1))) || return 0
  typed=\${words[-1]}
  [[ $typed == --*=* ]] && typed=\${typed#*=}
  # Of a value with = or : readline replaces only what stands behind it.
  kept=
  [[ $typed == *[=:]* ]] && kept=\${typed%"\${typed##*[=:]}"}
  local -a found=() about=()
  for line in "\${lines[@]}"; do
    value=\${line%%$'\t'*}
    [[ $value == "$typed"* ]] || continue
    found+=("\${value#"$kept"}")
    [[ $line == *$'\t'* ]] && about+=("\${line#*$'\t'}") || about+=('')
    ((\${#found[-1]} > widest)) && widest=\${#found[-1]}
  done
  if ((\${#found[@]} == 0)); then
    __@PROGRAM@_files "$directive" "$typed"
    return 0
  fi
  ((directive & 2)) && compopt -o nospace 2>/dev/null
  # A list that is only shown has descriptions; what is put on the line has none.
  local i
  for i in "\${!found[@]}"; do
    if [[ -n \${about[i]} && \${#found[@]} -gt 1 && (\${COMP_TYPE:-9} == 63 || \${COMP_TYPE:-9} == 33) ]]; then
      printf -v value '%-*s  (%s)' "$widest" "\${found[i]}" "\${about[i]}"
      COMPREPLY+=("\${value:0:\${COLUMNS:-80}-1}")
    else
      COMPREPLY+=("\${found[i]}")
    fi
  done
}

__@PROGRAM@_files() {
  if (($1 & 16)); then
    mapfile -t COMPREPLY < <(compgen -d -- "$2")
  elif ((!($1 & 4))); then
    mapfile -t COMPREPLY < <(compgen -f -- "$2")
  fi
  ((\${#COMPREPLY[@]} > 0)) && compopt -o filenames 2>/dev/null
  return 0
}

complete -o nosort -F __@PROGRAM@_complete @PROGRAM@ 2>/dev/null || complete -F __@PROGRAM@_complete @PROGRAM@
`.replaceAll(String.raw`\${`, '${');
