/**
 * Completion for fish.
 *
 * @param call `__complete`, or `__completeNoDesc`.
 */
export function fishScript(program: string, call: string): string {
  return SCRIPT.replaceAll('@PROGRAM@', program).replaceAll('@CALL@', call);
}

const SCRIPT = String.raw`# fish completion of @PROGRAM@, which answers itself what fits: @PROGRAM@ @CALL@ WORD...

function __@PROGRAM@_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    set -l lines ($program @CALL@ $words[2..-1] "$typed" 2>/dev/null)
    set -q lines[1]; or return
    set -l directive (string replace -r '^:' '' -- $lines[-1])
    set -e lines[-1]
    string match -qr '^[0-9]+$' -- $directive; or return
    test (math "bitand($directive, 1)") -eq 0; or return
    # The value of --flag=value is completed behind the flag.
    set -l flag (string match -r '^--[^=]+=' -- $typed)
    if set -q lines[1]
        set -q flag[1]; and set lines $flag$lines
        printf '%s\n' $lines
    else if test (math "bitand($directive, 16)") -ne 0
        __fish_complete_directories $typed
    else if test (math "bitand($directive, 4)") -eq 0
        __fish_complete_path $typed
    end
end

complete -c @PROGRAM@ -e
complete -c @PROGRAM@ -f -k -a '(__@PROGRAM@_complete)'
`;
