complete -r nnjax python python3 2>/dev/null
eval "$_nnjax_old"
unset -f _nnjax _nnjax_reply
unset _nnjax_verbs _nnjax_old
