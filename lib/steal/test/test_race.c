// test_race.c - the test of the deque without a sanitizer, whose calls order what the processor would not: with a plain
// store in deque_pop() an element is taken twice here, and not there.
#include "test_deque.c"
