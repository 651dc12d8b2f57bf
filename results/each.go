package results

// EachWindow calls each with every window, in order of time, and ends with its first error. The row is reused. A record
// of a million windows takes no memory that way.
func (r *Record) EachWindow(each func(*Window) error) error { return r.src.windows(each) }

// EachInstance calls each with the instances of every window, in order of time, then of their number; see EachWindow.
func (r *Record) EachInstance(each func(*Instance) error) error { return r.src.instances(each) }
