# Completion of nnjax in bash. `-sc uninstall=bash` prints what removes it.
_nnjax_verbs="@VERBS@"
_nnjax_old=$(complete -p python python3 2>/dev/null)

# Sets COMPREPLY to those of some candidates that continue a word; what readline takes for an earlier word is cut off.
_nnjax_reply() {
    local word=$1 start=
    mapfile -t COMPREPLY < <(compgen -W "$2" -- "$word")
    [[ $COMP_WORDBREAKS == *=* && $word == *=* ]] && start=${word%"${word##*=}"}
    COMPREPLY=("${COMPREPLY[@]#"$start"}")
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=.] ]] && compopt -o nospace 2>/dev/null
}

_nnjax() {
    local line=${COMP_LINE:0:COMP_POINT} word verb first
    local -a words
    COMPREPLY=()
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    word=${words[${#words[@]} - 1]}
    if [[ ${words[0]##*/} == nnjax ]]; then
        first=1
    elif [[ ${words[1]} == -m && ${words[2]} == experiments && ${#words[@]} -gt 3 ]]; then
        first=3
    elif [[ ${words[1]} == -m && ${#words[@]} -eq 3 ]]; then
        _nnjax_reply "$word" "@MODULES@"
        return
    elif [[ ${words[1]} == -m && ${words[2]} == experiments.* ]]; then
        first=2
    else
        return
    fi
    if ((${#words[@]} == first + 1)); then
        _nnjax_reply "$word" "$_nnjax_verbs"
        return
    fi
    verb=${words[first]#experiments.}
    [[ " $_nnjax_verbs " == *" $verb "* ]] || return
    line="$verb ${words[*]:first+1}"
    _nnjax_reply "$word" "$(COMP_LINE=$line "${words[@]:0:first+1}" -sc query=bash 2>/dev/null)"
}

complete -o default -o bashdefault -F _nnjax nnjax python python3
