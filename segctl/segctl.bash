# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for segctl: commands, their options, the names a policy declares where its
# file may be read, and what the daemon alone knows where it answers at once.

_segctl_commands="apply check confirm denials diff disarm explain flows history isolate isolated matrix
	permits release report rollback stage status top verify violations watch"

# The keys right under a section of the policy: _segctl_names FILE SECTION...
_segctl_names()
{
	local file=$1
	shift
	[[ -r $file ]] || return
	awk -v sections=" $* " '
		/^[a-z]/ { sub(/:.*/, ""); inside = index(sections, " " $0 " "); indent = 0; next }
		inside && match($0, /^ +[a-z][a-z0-9-]*:/) {
			lead = $0; sub(/[^ ].*/, "", lead)
			if (!indent) indent = length(lead)
			if (length(lead) == indent) { sub(/^ +/, ""); sub(/:.*/, ""); print }
		}' "$file" 2>/dev/null
}

# What the daemon answers under a key, each once and in order: _segctl_asked COMMAND KEY; a status where it cannot be asked. No
# text of anybody can pass for a key: its quotes are escaped in JSON.
_segctl_asked()
{
	local answer
	answer=$(timeout 2 "$program" ${socket:+--socket "$socket"} --json "$1" 2>/dev/null) || return
	grep -oE "\"$2\":(\"[^\"]*\"|[0-9]+)" <<<"$answer" | sed -e 's/^[^:]*://' -e 's/"//g' | sort -Vu
	return 0
}

# Candidates for the word being typed.
_segctl_reply()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_segctl_files()
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

# What stands behind an option that takes an argument.
_segctl_argument()
{
	case $prev in
	--socket | --policy) _segctl_files ;;
	--zone) _segctl_reply "$(_segctl_names "$policy" zones)" ;;
	--for | --confirm-within) _segctl_reply "2m 10m 1h 2h 1d" ;;
	--in) _segctl_reply "$(cd /sys/class/net 2>/dev/null && echo *)" ;;
	--from | --until) _segctl_reply "$(date +%Y-04-01) $(date +%F)" ;;
	--at) _segctl_reply "$(date +%Y-%m-%dT%H:%M)" ;;
	--comment | --ticket | --reason | --mac | --unused | --interval) ;;
	*) return 1 ;;
	esac
}

_segctl_options()
{
	case $1 in
	apply) echo --confirm-within --comment --ticket --force ;;
	rollback) echo --comment --force ;;
	disarm) echo --yes ;;
	explain) echo --policy --in --mac --at ;;
	flows) echo --zone ;;
	isolate) echo --for --reason --force ;;
	matrix) echo --policy ;;
	permits) echo --unused ;;
	report) echo --from --until ;;
	stage) echo --list --off --reason --force ;;
	top) echo --interval ;;
	watch) echo --violations --denials --flows ;;
	esac
	echo --json --socket --help
}

_segctl_operands()
{
	case $1 in
	check | diff) _segctl_files ;;
	isolate) _segctl_reply "$(_segctl_names "$policy" zones hosts)" ;;
	release) _segctl_reply "$(_segctl_asked isolated target || _segctl_names "$policy" zones hosts)" ;;
	rollback)
		compopt -o nosort 2>/dev/null # 2 stands before 10
		_segctl_reply "$(_segctl_asked history version)"
		;;
	stage) _segctl_reply "$(_segctl_names "$policy" stages) normal" ;;
	help) _segctl_reply "$_segctl_commands" ;;
	esac
}

_segctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local policy=/etc/segd/policy.yaml command="" program=${COMP_WORDS[0]} socket="" i

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--socket) ((i + 1 < COMP_CWORD)) && socket=${COMP_WORDS[++i]} ;;
		--policy) ((i + 1 < COMP_CWORD)) && policy=${COMP_WORDS[++i]} ;;
		-*) ;;
		*) [[ -n $command ]] || command=${COMP_WORDS[i]} ;;
		esac
	done
	if _segctl_argument; then
		return
	elif [[ -z $command && $cur == -* ]]; then
		_segctl_reply "--json --socket --help --version"
	elif [[ -z $command ]]; then
		_segctl_reply "$_segctl_commands"
	elif [[ $cur == -* ]]; then
		_segctl_reply "$(_segctl_options "$command")"
	else
		_segctl_operands "$command"
	fi
}

complete -F _segctl segctl
