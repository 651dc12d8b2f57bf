#!/usr/bin/env bash
# Checks of the card's package all that can be checked without a card: its files, its program under emulation, its unit
# by systemd's own parser, its log rotation by logrotate's. Needs dpkg-deb, qemu-aarch64, systemd-analyze, logrotate and
# curl.
#
#   hw/bluefield/check.sh PACKAGE
set -euo pipefail
deb=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad() { echo "$deb: $*" >&2; exit 1; }

dpkg-deb --raw-extract "$deb" "$work"
want="DEBIAN/conffiles DEBIAN/control DEBIAN/postinst
etc/logrotate.d/smartinco etc/smartinco/testbed.yaml etc/sysctl.d/60-smartinco.conf
lib/systemd/system/smartinco@.service usr/bin/smartinco usr/lib/smartinco/health
usr/share/doc/smartinco/LICENSE usr/share/doc/smartinco/NOTICE
usr/share/doc/smartinco/hardware.md usr/share/doc/smartinco/scenarios.md usr/share/doc/smartinco/testbed.md"
got=$(cd "$work" && find . -type f -printf '%P\n' | sort)
diff <(printf '%s\n' $want | sort) <(echo "$got") || bad "the files are not those that are wanted"
[ "$(dpkg-deb --field "$deb" Architecture)" = arm64 ] || bad "not for arm64"
while read -r file; do
	[ -f "$work/$file" ] || bad "the configuration file $file is not in it"
done <"$work/DEBIAN/conffiles"
for script in DEBIAN/postinst usr/lib/smartinco/health; do sh -n "$work/$script"; done

# Static: it runs without any library of its architecture.
program=("$work/usr/bin/smartinco")
if [ "$(uname -m)" != aarch64 ]; then program=(qemu-aarch64 "${program[@]}"); fi
"${program[@]}" version
"${program[@]}" run fig9-best-fit -o "$work/record" >/dev/null

# systemd says what it does not know, and exits with 0 all the same.
cp -r /lib/systemd/system/. "$work/lib/systemd/system/"
said=$(systemd-analyze verify --man=no --root="$work" smartinco@fig9.service 2>&1 |
	grep -v 'Failed to connect to bus' || true)
[ -z "$said" ] || bad "systemd says of the unit: $said"
logrotate --debug "$work/etc/logrotate.d/smartinco" >"$work/said" 2>&1 || bad "logrotate: $(cat "$work/said")"
if grep -i error "$work/said"; then bad "logrotate finds errors"; fi

if "$work/usr/lib/smartinco/health" 127.0.0.1:1 2>/dev/null; then
	bad "the health probe finds a run where there is none"
fi
echo "$deb: files, program, unit, log rotation and health probe are as they should be"
