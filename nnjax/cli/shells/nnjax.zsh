# Completion of nnjax in zsh. `-sc uninstall=zsh` prints what removes it.
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }

_nnjax() {
    local first verb line
    local -a verbs modules found
    verbs=(@VERBS@)
    modules=(@MODULES@)
    if [[ ${words[1]:t} == nnjax ]]; then
        first=2
    elif [[ $words[2] == -m && $words[3] == experiments && $CURRENT -gt 3 ]]; then
        first=4
    elif [[ $words[2] == -m && $CURRENT -eq 3 ]]; then
        compadd -a modules
        return
    elif [[ $words[2] == -m && $words[3] == experiments.* ]]; then
        first=3
    else
        _default
        return
    fi
    if (( CURRENT == first )); then
        compadd -a verbs
        return
    fi
    verb=${words[first]#experiments.}
    (( $verbs[(Ie)$verb] )) || { _default; return }
    line="$verb ${(j: :)words[first+1,CURRENT-1]} $PREFIX"
    found=(${(f)"$(COMP_LINE=$line ${words[1,first]} -sc query=zsh 2>/dev/null)"})
    if (( $#found )); then
        compadd -S '' -- ${(M)found:#*[=.]}
        compadd -- ${found:#*[=.]}
    else
        compset -P '*='
        _files
    fi
}

compdef _nnjax nnjax python python3
