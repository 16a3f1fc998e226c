// handle.c - slots and ids of cached objects.
#include "supervisor.h"

void cache_init(struct cache *c, enum object_type type, void *objects, uint32_t stride, uint32_t size, uint32_t *free)
{
    c->size = *free = size;
    c->free = free;
    c->stride = stride;
    c->objects = objects;
    list_init(&c->free_list);
    for (uint32_t i = 0; i < size; i++) {
        struct object *o = cache_at(c, i);
        o->slot = i;
        o->type = (uint8_t)type;
        list_append(&c->free_list, &o->link);
    }
}

struct object *cache_at(struct cache *c, uint32_t slot)
{
    return (struct object *)(c->objects + (size_t)slot * c->stride);
}

struct object *cache_find(struct cache *c, oid_t id)
{
    uint32_t slot = OID_SLOT(id);
    if (id == 0 || slot >= c->size) {
        return NULL;
    }
    struct object *o = cache_at(c, slot);
    return load_relaxed(&o->id) == id ? o : NULL;
}

struct object *handle_take(struct cache *c, uint64_t now)
{
    struct list *node = list_pop(&c->free_list);
    assert(node != NULL);
    struct object *o = list_entry(node, struct object, link);
    assert(o->state == OBJECT_FREE);
    *c->free -= 1;
    o->count++;
    o->loaded_at = now;
    o->state = OBJECT_LOADED;
    o->reason = REASON_NONE;
    o->lock = 0;
    // The type is part of the generation, so that an id of one type is never valid for another.
    store_relaxed(&o->id, (o->count << 3 | o->type) << 16 | o->slot);
    return o;
}

void handle_doom(struct object *o, uint32_t reason, struct list *unloading)
{
    assert(o->state == OBJECT_LOADED);
    o->last_id = o->id;
    o->reason = (uint8_t)reason;
    o->state = OBJECT_UNLOADING;
    store_relaxed(&o->id, 0);
    fence_full();               // pairs with the switch of page tables in thread_resume(): see trap.c
    list_append(unloading, &o->link);
}

void handle_release(struct cache *c, struct object *o)
{
    assert(o->state == OBJECT_UNLOADING);
    list_remove(&o->link);
    o->state = OBJECT_FREE;
    *c->free += 1;
    list_append(&c->free_list, &o->link);
}
