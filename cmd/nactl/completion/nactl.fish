# fish completion for nactl; nactl itself knows the words.

function __nactl_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines ($words[1] __complete $words[2..-1] 2>/dev/null)
    set -q lines[1]; or return
    test (count $lines) -gt 1; and printf '%s\n' $lines[2..-1]
    switch $lines[1]
        case files
            __fish_complete_path (commandline -ct)
        case dirs
            __fish_complete_directories (commandline -ct)
    end
end

complete -c nactl -f -a '(__nactl_complete)'
