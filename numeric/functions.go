package numeric

import "math"

const (
	ln2Hi = 6.93147180369123816490e-01 // the upper 32 bits of ln 2: k*ln2Hi is exact for every exponent k
	ln2Lo = 1.90821492927058770002e-10
)

// Exp is e^x, within 2 units in the last place, for x from -700 to 700; 0 below that and +Inf above. It takes the
// power of 2 out and sums the Taylor series.
func Exp(x float64) float64 {
	switch {
	case x < -700:
		return 0
	case x > 700:
		return math.Inf(1)
	}
	k := math.Floor(float64(x*(1/math.Ln2)) + 0.5)
	r := float64(x-float64(k*ln2Hi)) - float64(k*ln2Lo)
	sum := 1.0
	for i := 16.0; i >= 1; i-- { // Taylor by Horner; |r| < 0.35, so the rest is below 1e-21
		sum = float64(float64(sum*r)/i) + 1
	}
	return math.Ldexp(sum, int(k))
}

// Log is the natural logarithm of a positive, finite x, within 3 units in the last place. It takes the power of 2 out
// and sums the series of 2 artanh((f-1)/(f+1)).
func Log(x float64) float64 {
	f, k := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f *= 2
		k--
	}
	s := (f - 1) / (f + 1) // ln f = 2 artanh s, |s| < 0.172
	z := float64(s * s)
	sum := 0.0
	for i := 23.0; i >= 3; i -= 2 {
		sum = float64(z * float64(1/i+sum))
	}
	return float64(float64(k)*ln2Hi) + (float64(float64(k)*ln2Lo) + float64(float64(2*s)*float64(1+sum)))
}

// NormalQuantile is the quantile of the standard normal distribution for a probability p above 0 and below 1, within
// one part in 10^15. It is algorithm AS 241, PPND16 (Wichura, Applied Statistics 37 (1988) 477-484).
func NormalQuantile(p float64) float64 {
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		return float64(q*polynomial(r, &as241[0])) / polynomial(r, &as241[1])
	}
	r := math.Sqrt(-Log(min(p, 1-p)))
	i, from := 2, 1.6
	if r > 5 {
		i, from = 4, 5
	}
	z := polynomial(r-from, &as241[i]) / polynomial(r-from, &as241[i+1])
	return math.Copysign(z, q)
}

// as241 holds numerator and denominator of three rational approximations: for the middle, the tails and the far tails.
var as241 = [6][8]float64{
	{
		3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
		45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727,
	},
	{
		1, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077,
		21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610,
	},
	{
		1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504,
		1.27045825245236838258, .241780725177450611770, .0227238449892691845833, 7.74545014278341407640e-4,
	},
	{
		1, 2.05319162663775882187, 1.67638483018380384940, .689767334985100004550,
		.148103976427480074590, .0151986665636164571966, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
	},
	{
		6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, .296560571828504891230,
		.0265321895265761230930, .00124266094738807843860, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
	},
	{
		1, .599832206555887937690, .136929880922735805310, .0148753612908506148525,
		7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
	},
}

// polynomial is c[0] + c[1] x + ...
func polynomial(x float64, c *[8]float64) float64 {
	sum := 0.0
	for i := len(c) - 1; i >= 0; i-- {
		sum = float64(sum*x) + c[i]
	}
	return sum
}

// CosTurn is the cosine of a number of whole turns, of 2π each, within 2^-52, for x from 0 to 1. It folds the turn to a
// quarter and sums the Taylor series.
func CosTurn(x float64) float64 {
	if x > 0.5 {
		x = 1 - x
	}
	if x > 0.25 {
		return -CosTurn(0.5 - x)
	}
	y := float64(2*math.Pi) * x
	z := float64(y * y)
	sum := 1.0
	for i := 24.0; i >= 2; i -= 2 { // Horner; y < 1.571, so the rest is below 1e-20
		sum = 1 - float64(float64(sum*z)/float64(i*(i-1)))
	}
	return sum
}
