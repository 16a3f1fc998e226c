// cells.h - memory for what C Threads allocates, and the names of objects.
//
// Pages are cut into cells of one size, which are never given back; `lock` is for all.
#pragma once
#include <abi/types.h>

enum { CELL = 64 };

// A cell of zeros; NULL: no memory.  May block.
void *cell_make(void);
void cell_free(void *cell);

// The name of an object is in a cell, found by the object's address.  NULL takes it away.  May block.
void name_set(const void *object, const char *name);
const char *name_of(const void *object);             // "?": none
