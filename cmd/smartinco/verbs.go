package main

import "github.com/spf13/cobra"

// verbs are the program's commands.
var verbs = []func() *cobra.Command{
	newRun, newReplay, newSweep, newOptimize, newReproduce, newFidelity, newPlot, newReport, newExport, newVerify,
	newCompare, newValidate, newTheory, newScenario, newTrace, newCalibrate, newPolicies, newHW, newForward, newAwait,
	newTrexServer, newVersion,
	newLab, newStudy,
}
