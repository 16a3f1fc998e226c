// first.h - a kernel that the first kernel loads, as small as one can be.
//
// Its own space has one page of text.  A thread of it makes one call and ends with the answer.
#pragma once
#include "../harness.h"

struct child {
    struct test_space space;
    oid_t    kernel;
    struct place *place;
    pa_t     channel, frame_states, text;
    uint64_t first_frame, frame_count;
    struct kernel_desc desc;
    struct kernel_limits limits;
};

void  child_make(struct child *c);               // pages and a descriptor; the space is loaded
err_t child_load(struct child *c);               // waits while the answer is `again`
void  child_free(struct child *c);               // unloads what is loaded, gives the pages back
// Let a thread of the child make this call in its own space.  Gives its answer, or its end: 1000 + vector.
uint64_t child_call(struct child *c, uint64_t number, uint64_t a, uint64_t b, uint64_t d, uint64_t e);
err_t child_grant(struct child *c, pa_t base, uint64_t length, uint32_t access);

void test_loading(void);
void test_rights(void);
void test_limits(void);
void test_unloading(void);
