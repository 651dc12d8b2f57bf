package optimize

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/study"
)

// Expression is a number made of columns of a study's table: names, numbers, + - * / and parentheses.
type Expression struct {
	text string
	of   func(*results.Run) float64
}

const (
	expressionForm = "an expression over columns of a study's table, such as dropped/offered: names, numbers, + - * " +
		"/ and parentheses"
	constraintForm = "two expressions with <= or >= between them, such as loss <= 0.01"
	mostExpression = 500 // bytes
)

// mistake is what is wrong with an expression.
type mistake struct {
	found, expected string
	near            []string
}

func (m *mistake) Error() string { return fmt.Sprintf("found %s, expected %s", m.found, m.expected) }

// parseExpression reads an expression in Go's notation.
func parseExpression(text string) (Expression, *mistake) {
	tree, m := parseTree(text, expressionForm)
	if m != nil {
		return Expression{}, m
	}
	of, m := compile(tree)
	return Expression{text, of}, m
}

func parseTree(text, form string) (ast.Expr, *mistake) {
	if len(text) > mostExpression {
		return nil, &mistake{found: fmt.Sprintf("%d bytes", len(text)),
			expected: fmt.Sprintf("an expression of at most %d", mostExpression)}
	}
	tree, err := parser.ParseExpr(text)
	if err != nil {
		return nil, &mistake{found: strconv.Quote(text), expected: form}
	}
	return tree, nil
}

// compile gives the value of a tree. Each operation is one of its own, so that no two of them are fused.
func compile(tree ast.Expr) (func(*results.Run) float64, *mistake) {
	switch n := tree.(type) {
	case *ast.ParenExpr:
		return compile(n.X)
	case *ast.Ident:
		of, ok := study.Metric(n.Name)
		if !ok {
			names := study.Metrics()
			return nil, &mistake{"the unknown column " + strconv.Quote(n.Name), "one of " + strings.Join(names, ", "),
				strictyaml.Near(n.Name, names)}
		}
		return of, nil
	case *ast.BasicLit:
		x, err := strconv.ParseFloat(n.Value, 64)
		if err != nil || n.Kind != token.INT && n.Kind != token.FLOAT {
			return nil, &mistake{found: n.Value, expected: "a number"}
		}
		return func(*results.Run) float64 { return x }, nil
	case *ast.UnaryExpr:
		of, m := compile(n.X)
		if m != nil || n.Op != token.SUB {
			return nil, orElse(m, n.Op.String())
		}
		return func(r *results.Run) float64 { return -of(r) }, nil
	case *ast.BinaryExpr:
		op := operators[n.Op]
		if op == nil {
			return nil, orElse(nil, n.Op.String())
		}
		left, m := compile(n.X)
		if m != nil {
			return nil, m
		}
		right, m := compile(n.Y)
		return func(r *results.Run) float64 { return op(left(r), right(r)) }, m
	}
	return nil, orElse(nil, "something else")
}

func orElse(m *mistake, found string) *mistake {
	if m != nil {
		return m
	}
	return &mistake{found: found, expected: expressionForm}
}

var operators = map[token.Token]func(a, b float64) float64{
	token.ADD: func(a, b float64) float64 { return a + b },
	token.SUB: func(a, b float64) float64 { return a - b },
	token.MUL: func(a, b float64) float64 { return a * b },
	token.QUO: func(a, b float64) float64 { return a / b },
}

// String is the expression as it was written.
func (e Expression) String() string { return e.text }

// Objective is an expression that is to be small, or large.
type Objective struct {
	Expression
	Maximize bool
}

// String is minimize or maximize, and the expression.
func (o Objective) String() string {
	if o.Maximize {
		return "maximize " + o.text
	}
	return "minimize " + o.text
}

// ReadYAML reads {minimize: EXPRESSION} or {maximize: EXPRESSION}.
func (o *Objective) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 ||
		!slices.Contains([]string{"minimize", "maximize"}, n.Content[0].Value) {
		d.Fail(n, key, strictyaml.KindOf(n), o.Expected())
		return
	}
	e, m := parseExpression(n.Content[1].Value)
	if n.Content[1].Kind != yaml.ScalarNode {
		m = &mistake{found: strictyaml.KindOf(n.Content[1]), expected: expressionForm}
	}
	if m != nil {
		d.Fail(n.Content[1], strictyaml.Under(key, n.Content[0].Value), m.found, m.expected, m.near...)
		return
	}
	*o = Objective{e, n.Content[0].Value == "maximize"}
}

// Expected says what an objective is.
func (Objective) Expected() string { return "{minimize: EXPRESSION} or {maximize: EXPRESSION}" }

// Schema is its JSON Schema.
func (Objective) Schema() strictyaml.Object {
	return strictyaml.Object{{Key: "type", Value: "object"}}
}

// Reference is what a reference says of it.
func (Objective) Reference() (value, intro string) { return "mapping", "" }

// Constraint is two expressions, of which the first must be at most the second.
type Constraint struct {
	text        string
	left, right func(*results.Run) float64
}

// String is the constraint as it was written.
func (c Constraint) String() string { return c.text }

// ReadYAML reads EXPRESSION <= EXPRESSION or EXPRESSION >= EXPRESSION.
func (c *Constraint) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	if n.Kind != yaml.ScalarNode {
		d.Fail(n, key, strictyaml.KindOf(n), constraintForm)
		return
	}
	read, m := parseConstraint(n.Value)
	if m != nil {
		d.Fail(n, key, m.found, m.expected, m.near...)
		return
	}
	*c = read
}

func parseConstraint(text string) (Constraint, *mistake) {
	tree, m := parseTree(text, constraintForm)
	if m != nil {
		return Constraint{}, m
	}
	n, ok := tree.(*ast.BinaryExpr)
	if !ok || n.Op != token.LEQ && n.Op != token.GEQ {
		return Constraint{}, &mistake{found: strconv.Quote(text), expected: constraintForm}
	}
	left, m := compile(n.X)
	if m != nil {
		return Constraint{}, m
	}
	right, m := compile(n.Y)
	if n.Op == token.GEQ {
		left, right = right, left
	}
	return Constraint{text, left, right}, m
}

// Expected says what a constraint is.
func (Constraint) Expected() string { return constraintForm }

// Schema is its JSON Schema.
func (Constraint) Schema() strictyaml.Object {
	return strictyaml.Object{{Key: "type", Value: "string"}}
}

// Reference is what a reference says of it.
func (Constraint) Reference() (value, intro string) { return "comparison", "" }
