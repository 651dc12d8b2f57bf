package keda

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/smartinco/smartinco/numeric"
)

// modifiers put one metric in the place of those of all triggers.
type modifiers struct {
	Formula    string  `yaml:"formula" required:"true"`
	Target     float64 `yaml:"target" above:"0" required:"true"`
	Activation float64 `yaml:"activation_target" default:"0"`
	Type       string  `yaml:"metric_type" enum:"AverageValue|Value" default:"AverageValue"`
}

// Docs implements strictyaml.Documented.
func (modifiers) Docs() string {
	return `
formula: the metric, in the expression language of expr-lang.org, from the metrics of the triggers by their names, in
	the units of their thresholds, and cut off to thousandths: max(packets, 0.2 * waiting)
target: what it is held at
activation_target: above this the object is active
metric_type: whether the target is for each instance, or for all together
`
}

// formula is one at work.
type formula struct {
	modifiers
	program *vm.Program
	metrics map[string]any // by the triggers' names
}

// allowed are the functions of the language that a formula may have: those of numbers and of lists. Those of the clock,
// of texts and of maps, whose order is not fixed, are refused.
var allowed = []string{"abs", "ceil", "floor", "round", "int", "float", "min", "max", "mean", "median", "sum", "len",
	"count", "all", "any", "none", "one", "filter", "map", "find", "reduce", "first", "last"}

// compiled makes a formula with the metrics of these names.
func (m modifiers) compiled(names []string) (*formula, error) {
	f := &formula{modifiers: m, metrics: map[string]any{}}
	types := map[string]float64{}
	for _, name := range names {
		types[name], f.metrics[name] = -1, -1.0 // KEDA tries a formula with -1 for each
	}
	options := []expr.Option{expr.Env(types), expr.DisableAllBuiltins(),
		expr.Function("pow", power, new(func(any, any) float64)), expr.Patch(powers{})}
	for _, name := range allowed {
		options = append(options, expr.EnableBuiltin(name))
	}
	var err error
	if f.program, err = expr.Compile(cast(m.Formula), options...); err != nil {
		return nil, fmt.Errorf("formula: %q: %w", m.Formula, bare(err))
	}
	if _, err = f.run(); err != nil && !errors.Is(err, errNotANumber) {
		return nil, fmt.Errorf("formula: %q: with -1 for each trigger: %w", m.Formula, bare(err))
	}
	return f, nil
}

// bare is an error of the language without its drawing of the place, which would be that in the text that was cast.
func bare(err error) error {
	if e, ok := errors.AsType[*file.Error](err); ok {
		return errors.New(e.Message)
	}
	return err
}

// cast makes the result of a formula a number with a fraction, unless it is nil, as KEDA does it.
func cast(text string) string {
	switch {
	case strings.Contains(text, "??"):
		return "let result_ = (" + text + "); result_ == nil ? nil : float(result_)"
	case strings.HasPrefix(text, "float("):
		return text
	}
	return "float(" + text + ")"
}

var errNotANumber = errors.New("the formula gives no number")

// run is the metric for those that are set; nil where the formula says that the fallback is to stand for it.
func (f *formula) run() (*float64, error) {
	result, err := expr.Run(f.program, f.metrics)
	if err != nil || result == nil {
		return nil, err
	}
	x, ok := result.(float64)
	if !ok || math.IsNaN(x) || math.Abs(x) > 1e15 {
		return nil, errNotANumber
	}
	x = cut(x)
	return &x, nil
}

// cut cuts a metric off to thousandths, as it is handed on.
func cut(x float64) float64 {
	if x = math.Trunc(x * 1000); math.Abs(x) < 1e18 {
		return x * 1e-3
	}
	return math.Copysign(1e15, x)
}

// powers puts a function of ours in the place of the operator: the standard library's is not the same everywhere.
type powers struct{}

// Visit implements ast.Visitor.
func (powers) Visit(n *ast.Node) {
	if b, ok := (*n).(*ast.BinaryNode); ok && (b.Operator == "**" || b.Operator == "^") {
		ast.Patch(n, &ast.CallNode{Callee: &ast.IdentifierNode{Value: "pow"}, Arguments: []ast.Node{b.Left, b.Right}})
	}
}

// power raises a number to another: by multiplication where that is whole and small, and else by logarithms.
func power(of ...any) (any, error) {
	var x, y float64
	for i, to := range []*float64{&x, &y} {
		switch v := of[i].(type) {
		case float64:
			*to = v
		case int:
			*to = float64(v)
		default:
			return nil, fmt.Errorf("a power of %v: want numbers", v)
		}
	}
	if y == math.Trunc(y) && math.Abs(y) <= 1000 {
		p := 1.0
		for range int(math.Abs(y)) {
			p *= x
		}
		if y < 0 {
			p = 1 / p
		}
		return p, nil
	}
	switch {
	case x > 0:
		return numeric.Exp(float64(y * numeric.Log(x))), nil
	case x == 0 && y > 0:
		return 0.0, nil
	}
	return nil, fmt.Errorf("%v to the power of %v: %w", x, y, errNotANumber)
}

func (f *formula) said() string { return "formula" }

func (f *formula) quantity(b []byte, x float64) []byte { return strconv.AppendFloat(b, x, 'g', 6, 64) }
