complete -e -c nnjax
complete -e -c python -a '(_nnjax)'
complete -e -c python3 -a '(_nnjax)'
functions -e _nnjax _nnjax_first
