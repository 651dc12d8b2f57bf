//go:build doca && standin

#include "../standins/doca/src/standin.c"
