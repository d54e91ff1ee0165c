# Completion of nnjax in fish. `-sc uninstall=fish` prints what removes it.
function _nnjax_first
    set -l words (commandline -opc)
    if test (path basename $words[1]) = nnjax
        echo 2
    else if test "$words[2]" = -m -a "$words[3]" = experiments
        echo 4
    else if test "$words[2]" = -m
        echo 3
    end
end

function _nnjax
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    set -l first (_nnjax_first)
    set -l verbs @VERBS@
    if test (count $words) -lt $first
        if test $first = 3
            string join \n @MODULES@
        else
            string join \n $verbs
        end
        return
    end
    set -l verb (string replace experiments. '' -- $words[$first])
    contains -- $verb $verbs; or return
    set -l call $words[1..$first]
    set -lx COMP_LINE (string join ' ' -- $verb $words[(math $first + 1)..] $word)
    set -l found ($call -sc query=fish 2>/dev/null)
    if test (count $found) -gt 0
        string join \n -- $found
    else if string match -q '*=*' -- $word
        set -l key (string replace -r '=.*' = -- $word)
        printf "$key%s\n" (complete -C "__nnjax_file "(string replace -r '^[^=]*=' '' -- $word) | string replace -r '\t.*' '')
    else
        __fish_complete_path $word
    end
end

complete -c nnjax -f -a '(_nnjax)'
complete -c python -n 'test -n "$(_nnjax_first)"' -f -a '(_nnjax)'
complete -c python3 -n 'test -n "$(_nnjax_first)"' -f -a '(_nnjax)'
