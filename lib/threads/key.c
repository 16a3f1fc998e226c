// key.c - thread-local storage: a few keys, and a bit for each that a thread has set.
#include "threads_impl.h"

static uint32_t keys_used;               // a  bit: the key exists

enum thread_status thread_key_create(unsigned *key, void (*destroy)(void *))
{
    uint32_t used = __atomic_load_n(&keys_used, __ATOMIC_RELAXED);

    do {
        uint32_t room = ~used & ((1u << THREAD_KEYS) - 1);
        if (room == 0) {
            return THREAD_NO_MEMORY;
        }
        *key = (unsigned)__builtin_ctz(room);
    } while (!__atomic_compare_exchange_n(&keys_used, &used, used | 1u << *key, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    threads.key[*key].destroy = destroy;
    threads.key[*key].serial++;
    return THREAD_OK;
}
static bool valid(unsigned key)
{
    return key < THREAD_KEYS && (__atomic_load_n(&keys_used, __ATOMIC_RELAXED) >> key & 1);
}
enum thread_status thread_key_delete(unsigned key)
{
    if (!valid(key)) {
        return THREAD_INVALID;
    }
    __atomic_fetch_and(&keys_used, ~(1u << key), __ATOMIC_RELEASE);
    return THREAD_OK;
}
// A value counts for the key that it was set with, not for a later one of the same number.
static bool is_set(const struct thread *t, unsigned key)
{
    return (t->keys >> key & 1) && t->key_serial[key] == threads.key[key].serial;
}
enum thread_status thread_set(unsigned key, void *value)
{
    struct thread *self = thread_self();

    if (!valid(key)) {
        return THREAD_INVALID;
    }
    self->key[key] = value;
    self->key_serial[key] = threads.key[key].serial;
    self->keys |= 1u << key;
    return THREAD_OK;
}
void *thread_get(unsigned key)
{
    const struct thread *self = thread_self();

    return valid(key) && is_set(self, key) ? self->key[key] : NULL;
}
// A destructor may set values again: a few rounds, then they are left.
void keys_destroy(struct thread *self)
{
    for (int round = 0; round < 4 && self->keys != 0; round++) {
        for (unsigned key = 0; key < THREAD_KEYS; key++) {
            void *value = valid(key) && is_set(self, key) ? self->key[key] : NULL;
            self->keys &= ~(1u << key);
            if (value != NULL && threads.key[key].destroy != NULL) {
                threads.key[key].destroy(value);
            }
        }
    }
    self->keys = 0;
}
