//go:build doca && standin

#include "standin/standin.c"
