# Reads what `go test -v ./...` says. Prints a line for each package, all that a failing package said and, at the end,
# what was skipped: a line for each reason, with the packages and their numbers of tests. A reason is what a test says up
# to ": ", and is followed by the rest where all tests say the same. A case of a suite that "does not apply" to what it
# tests is left out: nothing is missing for it.
#
# With SMARTINCO_NO_SKIP set, whatever was skipped is a failure, unless it was the kernel that lacks something: nothing
# that is installed brings another.

/^=== / { test = $3 }
/^ +[^ ]+\.go:[0-9]+: / { said[test] = $0; sub(/^ +[^ ]+ /, "", said[test]) }
/^ *--- SKIP/ && said[$3] !~ /^does not apply: / { skipped[++skips] = said[$3] }
{ line[++lines] = $0 }
/^FAIL/ { bad = 1 }
/^FAIL\t/ { for (i = 1; i <= lines; i++) print line[i] }
/^(ok  |\?   )\t/ { print; passed = 1 }
/^(ok  |\?   |FAIL)\t/ {
	package = $2
	sub(/^[^\/]+\/[^\/]+\/[^\/]+\//, "", package)
	for (i = 1; i <= skips; i++) count(skipped[i], package)
	lines = skips = test = 0
	split("", said)
}

function count(why, package,    reason) {
	reason = why
	sub(/: .*/, "", reason)
	if (!(reason in number)) {
		reasons[++different] = reason
		text[reason] = why
	} else if (text[reason] != why) {
		text[reason] = reason
	}
	number[reason]++
	if (!((reason, package) in of)) packages[reason] = packages[reason] "\n" package
	of[reason, package]++
}

END {
	most = 10
	for (i = 1; i <= different; i++) {
		r = reasons[i]
		if (ENVIRON["SMARTINCO_NO_SKIP"] != "" && r !~ /^the kernel /) bad = forbidden = 1
		if (different > most && i >= most) {
			others += number[r]
			continue
		}
		n = split(substr(packages[r], 2), names, "\n")
		where = ""
		for (k = 1; k <= n; k++) where = where (k > 1 ? ", " : "") names[k] " " of[r, names[k]]
		printf "skipped %d: %s (%s)\n", number[r], text[r], where
	}
	if (others) printf "skipped %d: for %d other reasons, which go test -v says\n", others, different - most + 1
	if (forbidden) print "FAIL: SMARTINCO_NO_SKIP is set, and tests were skipped"
	exit bad || !passed
}
