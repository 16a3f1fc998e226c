// host_activations.c - the invariants of spaces of activations, recomputed from scratch.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define CHECK(x)                                                                                             \
    do {                                                                                                     \
        if (!(x)) {                                                                                          \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #x);                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

struct sums {
    uint32_t claims, running, dropping, handlers, stalled, fresh, paused, events;
    uint64_t holds, loaded[ACTIVATIONS_MOST / 64];
};

static uint32_t length(const struct list *l)
{
    uint32_t n = 0;

    for (const struct list *i = l->next; i != l; i = i->next) {
        n++;
    }
    return n;
}

static void add(struct sums *s, const struct thread *t)
{
    bool running = t->act == ACT_CLAIM && t->status == THREAD_RUNNING;

    s->claims += t->act == ACT_CLAIM;
    s->running += running;
    s->dropping += t->drop;
    s->handlers += t->handling;
    s->stalled += t->stalled;
    s->fresh += t->act == ACT_FRESH;
    s->paused += t->act == ACT_STOPPED && t->paused;
    s->holds |= running ? 1ull << t->cpu : 0;
    CHECK((s->loaded[t->index / 64] >> t->index % 64 & 1) == 0);      // no other one has its index
    s->loaded[t->index / 64] |= 1ull << t->index % 64;
    CHECK(t->act != ACT_NONE && t->o.state != OBJECT_FREE);
    CHECK(!t->drop || running);
    CHECK(t->handling == (t->act == ACT_BLOCKED && t->depth > 0 && t->status != THREAD_WAITING));
    CHECK(t->act != ACT_BLOCKED || t->depth == 0 || t->space == NULL);
    CHECK((t->act != ACT_FRESH && t->act != ACT_STOPPED) || (t->depth == 0 && t->status == THREAD_WAITING));
    CHECK(t->act != ACT_FRESH || (t->fresh && t->events == 0));
    CHECK(t->act != ACT_STOPPED || t->paused || t->events != 0);
    CHECK(t->act != ACT_CLAIM || t->events != 0 || list_empty(&t->activation));
    CHECK(t->act != ACT_CLAIM || t->status != THREAD_WAITING || t->o.state == OBJECT_UNLOADING);
    CHECK(t->act != ACT_CLAIM || t->status != THREAD_READY || (t->upcall && t->depth == 0));
}

static void check_space(struct instance *in, struct space *s)
{
    const struct claims *c = &s->claims;
    struct sums x = {0};

    for (uint32_t i = 0; i < in->threads.size; i++) {
        struct thread *t = thread_at(in, i);
        if (t->o.state != OBJECT_FREE && t->home == s) {
            add(&x, t);
        }
    }
    CHECK(c->count == x.claims && c->dropping == x.dropping && c->handlers == x.handlers && c->stalled == x.stalled);
    CHECK(c->holds == x.holds && c->held == x.running);       // running activations = processors held
    CHECK(c->page->holds == c->holds && c->page->held == c->held);
    CHECK(memcmp(c->loaded, x.loaded, sizeof(x.loaded)) == 0);
    CHECK(length(&c->fresh) == x.fresh && length(&c->paused) == x.paused);
    CHECK(c->page->pending == length(&c->events));
    for (const struct list *n = c->events.next; n != &c->events; n = n->next) {
        const struct thread *t = list_entry(n, struct thread, activation);
        CHECK(t->home == s && t->events != 0 && t->act != ACT_FRESH);
    }
}

void host_check_activations(struct instance *in)
{
    uint32_t n = 0;

    for (struct list *l = in->claimants.next; l != &in->claimants; l = l->next) {
        check_space(in, list_entry(l, struct space, claims.link));
        n++;
    }
    CHECK(n == in->nclaimants);
    for (uint32_t i = 0; i < in->threads.size; i++) {
        const struct thread *t = thread_at(in, i);
        CHECK(t->o.state == OBJECT_FREE || (t->home == NULL) == (t->act == ACT_NONE));
    }
}
