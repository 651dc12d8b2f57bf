// Package doca stands in for NVIDIA's DOCA Flow SDK, in C: a card that keeps pipes, entries, counters and completions
// in memory, and can forward real frames between network devices by them. The driver, package hw/doca, is compiled
// against it with the build tags doca and standin, for its tests and for a lab without a card.
//
// It breaks in the ways in which the real SDK is documented, or was seen, to break. Folder include declares the part of
// the interface that the driver uses, as each release from 2.7 to 3.3 does, and says where each declaration was seen;
// src/signatures.c holds those of one release against a copy of the interface's own pages when it is compiled. Prefer a
// card with the SDK: nothing that happens here says anything of a card's speed, and what nobody has seen is not here.
//
// The package has no Go code. The driver compiles folder src as a part of itself, since the linker of a package with C
// does not look into another package, and imports this one so that the go command sees when the C files change.
package doca

import "embed"

//go:embed src/*.c src/*.h include/*.h
var _ embed.FS
