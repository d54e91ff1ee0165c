compdef -d nnjax python python3
unfunction _nnjax
