// vm_model.h - what memory of programs should be, byte by byte: for test_vm.c.
//
// Some processes with a window of pages and a heap each; a page shows a file, shared memory or its own.
#pragma once
#include "machine.h"

enum { PROCESSES = 4, WINDOW = 48, HEAP = 16, FILES = 2, FILE_PAGES = 12, OBJECTS = 64 };
#define BASE 0x10000000ull

// What several mappings show: a file, or shared memory without one.
struct object {
    unsigned users;
    bool     is_file;
    size_t   size;                       // of a file
    uint8_t *bytes;
};
struct page {
    bool     mapped, is_shared, may_write;
    uint32_t prot;
    struct object *object;               // NULL: anonymous
    unsigned index;                      // page of the object
    uint8_t *own;                        // what a private page holds; NULL: what the object holds, or zeros
};
struct model {
    struct task *task;                   // NULL: no such process
    struct page  page[WINDOW];
    struct page  heap[HEAP];             // below brk
    uint64_t     brk;                    // bytes
};


extern struct model models[PROCESSES];   // the first one is there from the beginning
extern struct object objects[OBJECTS];   // the files come first
extern int fd_write[FILES], fd_read[FILES];
extern unsigned fixed_pages;             // of every process, outside the model

struct object *object_create(void);      // shared memory without a file
void           page_clear(struct page *p);
const uint8_t *page_bytes(const struct page *p);
uint8_t       *page_to_write(struct page *p);
void           page_copy(struct page *to, const struct page *from);
int            access_error(const struct page *p, uint32_t need);
struct model  *some_process(void);
void           some_range(unsigned *at, unsigned *n);
uint32_t       some_prot(void);
void           check_page(struct model *m, struct page *p, va_t va);     // all that can be read of it
void           check_all(void);
int            vm_setup(void **state);
