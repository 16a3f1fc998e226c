// program.h - the simulation as a native program: what the first thread of a package runs.
#pragma once
#include <native.h>

int nbody_main(const struct native_info *info);  // its value is the program's
