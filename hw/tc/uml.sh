#!/bin/sh
# Runs a test binary, linked statically, on the kernel of Debian's package user-mode-linux. That kernel is a process and
# has the flower classifier, which the machine's own kernel may lack. It sees the machine's files and can write none.
#
#     hw/tc/uml.sh bin/tc.test -test.run Kernel -test.v
#
# The same file is that kernel's first process.
set -eu

if [ "$$" -ne 1 ]; then
	program=$(realpath "$1")
	shift
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	timeout 300 linux.uml mem=1G quiet rootfstype=hostfs ro init="$(realpath "$0")" uml_dir="$dir" \
		con=null con0=fd:0,fd:1 -- "$program" "$@" </dev/null >"$dir/said" 2>&1 || true
	# A processor with AMX has more state than Linux 6.1 as a process can set: it dies before its first process begins.
	if ! grep -q '^uml: begin' "$dir/said" && grep -q 'ptrace set fp regs failed' "$dir/said"; then
		echo 'skipped: user-mode-linux cannot run on this processor (ptrace set fp regs failed)'
		exit
	fi
	sed -n '/^uml: begin/,/^uml: exit/p' "$dir/said"
	grep -q '^uml: exit 0' "$dir/said" || { cat "$dir/said"; exit 1; }
	exit
fi

export PATH=/usr/sbin:/usr/bin:/sbin:/bin
dmesg -n 1
mount -t proc proc /proc
net=/usr/lib/uml/modules/$(uname -r)/kernel
for module in drivers/net/veth net/sched/sch_ingress net/sched/cls_flower net/sched/act_mirred net/sched/act_gact; do
	insmod "$net/$module.ko"
done
ip link set lo up
echo "uml: begin, Linux $(uname -r)"
code=0
"$@" || code=$?
echo "uml: exit $code"
poweroff -f
