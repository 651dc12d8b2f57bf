package kubernetes

import (
	"math"
	"math/big"
	"regexp"
	"strconv"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// Quantity is a number in Kubernetes' notation, such as 10M, 500m, 4650k or 1e6, as it was written; empty for none.
type Quantity string

var quantityParts = regexp.MustCompile(`^(\+?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30}))` +
	`(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?[0-9]{1,2}))?$`)

// decimal are the powers of ten that the suffixes stand for, and binary those of two.
var (
	decimal = map[string]int{"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
	binary  = map[string]uint{"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
)

// value is the number; nil where the text is none.
func (q Quantity) value() *big.Rat {
	part := quantityParts.FindStringSubmatch(string(q))
	if part == nil {
		return nil
	}
	x, _ := new(big.Rat).SetString(part[1])
	if shift, ok := binary[part[2]]; ok {
		return x.Mul(x, new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), shift)))
	}
	exponent := decimal[part[2]]
	if part[3] != "" {
		exponent, _ = strconv.Atoi(part[3])
	}
	power, _ := new(big.Rat).SetString("1e" + strconv.Itoa(exponent))
	return x.Mul(x, power)
}

// Float is the number; 0 where the text is none.
func (q Quantity) Float() float64 {
	if x := q.value(); x != nil {
		f, _ := x.Float64()
		return f
	}
	return 0
}

// Milli is the number in thousandths, rounded up, and at most 2^63-1; 0 where the text is none.
func (q Quantity) Milli() int64 {
	x := q.value()
	if x == nil {
		return 0
	}
	x.Mul(x, big.NewRat(1000, 1))
	n, rest := new(big.Int).QuoRem(x.Num(), x.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		n.Add(n, big.NewInt(1))
	}
	if !n.IsInt64() {
		return math.MaxInt64
	}
	return n.Int64()
}

// ReadYAML reads a number or a text.
func (q *Quantity) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	if x := Quantity(n.Value); n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" && x.value() != nil {
		*q = x
		return
	}
	d.Fail(n, key, strictyaml.KindOf(n), q.Expected())
}

// Expected says what may stand there.
func (*Quantity) Expected() string { return "a quantity such as 10M, 500m or 4650k" }

// Schema is its JSON Schema.
func (*Quantity) Schema() strictyaml.Object {
	return strictyaml.Object{{Key: "type", Value: []string{"string", "number"}}}
}

// Reference is what the reference says of it.
func (*Quantity) Reference() (value, intro string) { return "quantity such as `500m`", "" }
