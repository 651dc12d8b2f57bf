package plots

// What the thesis on SmartINCO reports in its sections 4.2 to 4.5, in the units of the figures' axes.
const (
	fig6Capacity  = 25.0 // Mpps, one VNF alone; loss rises sharply at the same load
	fig7PerVNF    = 10.0 // Mpps, "slightly above", each of several VNFs
	fig9Plateau   = 42.0 // Mpps, "around"
	fig9Loss      = 22.0 // Mpps, "near"
	fig9LossRange = 5.0  // Mpps, within which the loss oscillates
	fig9Onset     = 9    // active flows from which loss rises sharply
	testbedLink   = 100e9
	testbedGap    = 20.0 // bytes of preamble and gap a frame
)

// fig10Published is the throughput in Gbit/s (0 for line rate), and how many instances it takes, by frame size in
// bytes.
var fig10Published = map[int64]struct{ gbps, instances float64 }{
	64:   {25, 8},
	512:  {0, 3},
	1500: {0, 3},
}
