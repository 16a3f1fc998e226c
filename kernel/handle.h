// handle.h - what all cached objects have in common: a slot, an id with a generation, a place in line.
//
// States: FREE -> LOADED -> UNLOADING -> FREE; only handle_take, handle_doom and handle_release write them.
// An object that is UNLOADING has lost its id, so nothing new can come to depend on it; its unload goes on
// step by step (cache.c) until the slot is free.
// Locking: the instance lock, except that `id` may be compared without it (trap.c).
#pragma once
#include <abi/frame.h>

#include "list.h"
#include "names.h"

enum object_state { OBJECT_FREE, OBJECT_LOADED, OBJECT_UNLOADING };

struct object {
    oid_t       id;             // a  0 unless LOADED
    oid_t       last_id;        // l  what it was, while UNLOADING
    uint64_t    count;          // l  loads of this slot so far
    uint64_t    loaded_at;      // l  clock
    uint32_t    slot;           // I
    uint8_t     type;           // I  enum object_type
    uint8_t     state;          // l  enum object_state
    uint8_t     reason;         // l  enum thread_reason, why it is UNLOADING
    uint8_t     lock;           // l  locked, if all it depends on is too
    struct list link;           // l  on its cache's free list, or on the unloading list
};

struct cache {                  // of one type
    uint32_t    size;           // I
    uint32_t   *free;           // l  how many; in the system pages
    uint32_t    hand;           // l  of the clock
    uint32_t    stride;         // I  bytes from one object to the next
    char       *objects;        // I  first struct object
    struct list free_list;      // l
};

// All memory is cleared already.
void cache_init(struct cache *c, enum object_type type, void *objects, uint32_t stride, uint32_t size, uint32_t *free);
struct object *cache_at(struct cache *c, uint32_t slot);
// The loaded object with this id, or NULL.
struct object *cache_find(struct cache *c, oid_t id);
// Make a free object LOADED with a fresh id.  The caller has seen that one is free.
struct object *handle_take(struct cache *c, uint64_t now);
// LOADED -> UNLOADING: the id is stale from here on.
void handle_doom(struct object *o, uint32_t reason, struct list *unloading);
// UNLOADING -> FREE.
void handle_release(struct cache *c, struct object *o);
