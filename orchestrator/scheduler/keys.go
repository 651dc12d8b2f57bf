package scheduler

// Names lists what may stand at a key whose values are the names in a table; nil for the other keys.
func (Options) Names(key string) (names []string) {
	if key == "policy" {
		for i := range table {
			names = append(names, table[i].Name)
		}
	}
	return names
}
