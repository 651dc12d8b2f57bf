// Package oracle is the judge of the policies that come from elsewhere: it holds ours against the programs themselves,
// on random cases. It is a module of its own, so that their modules are not among those of SmartINCO.
//
// A package below it is named after the system. Each draws cases from a named stream, gives them to both programs, and
// wants the same of both; where one differs, it prints the case. The flags -seed and -cases are those of all.
package oracle
