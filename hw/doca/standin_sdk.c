//go:build doca && standin

/* The go command does not know of this file's includes: `make doca` compiles it again when they change. */
#include "standin/standin.c"
