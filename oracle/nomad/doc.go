// Package nomad holds package orchestrator/autoscaler/nomad against the four strategies of the Nomad Autoscaler, and
// against its rules of which of several actions wins and how a count is kept within bounds. What calls them is not
// exported, or needs a module that the checksum database refuses; so it stands here, and the cool-down is not judged.
package nomad
