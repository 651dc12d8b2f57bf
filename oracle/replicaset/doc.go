// Package replicaset holds the victim policy replicaset against the order in which Kubernetes deletes the pods of a
// ReplicaSet.
package replicaset
