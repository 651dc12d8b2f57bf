package autoscaler

// Names lists what may stand at a key whose values are the names in a table; nil for the other keys.
func (Options) Names(key string) (names []string) {
	switch key {
	case "policy":
		for i := range table {
			names = append(names, table[i].Name)
		}
	case "victim":
		for i := range victims {
			names = append(names, victims[i].Name)
		}
	}
	return names
}
