// paths.h - a program that goes the unusual ways through the library, for tests that disturb it.
#pragma once
#include "host.h"

// The first thread: `rounds` is how many.  It sets host.finished.
void *paths_first(void *rounds);
extern int paths_failed;                         // line of a check that failed, or 0
