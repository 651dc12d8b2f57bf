package results

// Texts makes strings of bytes, and gives again those that it gave lately. The addresses of a capture come in rows of
// many flows: each row would keep two strings of its own.
type Texts [1 << 10]string

// Of is string(b).
func (t *Texts) Of(b []byte) string {
	hash := uint32(0)
	for _, c := range b {
		hash = 31*hash + uint32(c)
	}
	s := &t[hash%uint32(len(t))]
	if *s != string(b) {
		*s = string(b)
	}
	return *s
}
