// test_tree.c - the tree of page entries against a plain sorted model, by seed.
#include "world.h"

enum { ENTRIES = 512, STEPS = 60000 };
#define LAST ((1ull << 36) - 1)

static struct { uint64_t index, value; } model[ENTRIES];
static unsigned count;
static struct tree tree;

static unsigned model_at(uint64_t index)
{
    unsigned i = 0;

    while (i < count && model[i].index < index) {
        i++;
    }
    return i;
}

static void model_remove(uint64_t from, uint64_t end)
{
    unsigned low = model_at(from), high = model_at(end);

    memmove(&model[low], &model[high], (count - high) * sizeof(model[0]));
    count -= high - low;
}

static void model_set(uint64_t index, uint64_t value)
{
    unsigned i = model_at(index);

    if (i == count || model[i].index != index) {
        memmove(&model[i + 1], &model[i], (count - i) * sizeof(model[0]));
        model[i].index = index;
        count++;
    }
    model[i].value = value;
}

// Near the ends of nodes of every level, near each other, and anywhere.
static uint64_t some_index(void)
{
    uint64_t at = ((uint64_t)world_random(1u << 31) << 31 | world_random(1u << 31)) & LAST;
    unsigned shift = TREE_SHIFT * world_random(TREE_LEVELS);

    switch (world_random(4)) {
    case 0:
        return world_random(300);
    case 1:
        at = ((at >> shift << shift) + world_random(4) - 2) & LAST;
        return at;
    case 2:
        return count > 0 ? (model[world_random(count)].index + world_random(130) - 65) & LAST : LAST;
    default:
        return at;
    }
}

static void walk(uint64_t from, uint64_t end)
{
    uint64_t index = from, *slot;
    unsigned i = model_at(from);

    while ((slot = tree_next(&tree, &index, end)) != NULL) {
        assert_true(i < count);
        assert_int_equal(index, model[i].index);
        assert_int_equal(*slot, model[i].value);
        assert_true(index >= from && index < end);
        i++;
        index++;
    }
    assert_true(i == count || model[i].index >= end);
}

// As aspace_drop does it.
static void remove_range(uint64_t from, uint64_t end)
{
    uint64_t index = from, *slot;

    while ((slot = tree_next(&tree, &index, end)) != NULL) {
        *slot = 0;
        index++;
    }
    tree_prune(&tree, from, end);
    model_remove(from, end);
}

static uint64_t some_end(uint64_t from)
{
    uint64_t end = from + (1ull << world_random(37));
    return world_random(8) == 0 ? UINT64_MAX : world_random(2) == 0 ? end : from + world_random(200);
}

static void step(void)
{
    uint64_t at = some_index(), *slot;

    switch (world_random(6)) {
    case 0: case 1:
        if (count < ENTRIES) {
            uint64_t value = 1 + world_random(1u << 30);
            slot = tree_make(&tree, at);
            assert_non_null(slot);
            *slot = value;
            model_set(at, value);
        }
        break;
    case 2: case 3:
        slot = tree_find(&tree, at);
        bool there = model_at(at) < count && model[model_at(at)].index == at;
        assert_true(slot != NULL || !there);
        if (slot != NULL) {
            assert_int_equal(*slot, there ? model[model_at(at)].value : 0);
        }
        break;
    case 4:
        walk(at, some_end(at));
        break;
    default:
        if (world_random(count > ENTRIES / 2 ? 1 : 4) == 0) {
            remove_range(at, some_end(at));
        }
        break;
    }
}

static void random_steps(void **state)
{
    size_t objects = world_objects();

    (void)state;
    for (unsigned i = 0; i < STEPS; i++) {
        step();
        if (i % 1000 == 0) {
            walk(0, UINT64_MAX);
        }
    }
    walk(0, UINT64_MAX);
    remove_range(0, 1ull << 36);
    assert_true(tree.root == 0 && tree.height == 0);
    assert_int_equal(world_objects(), objects);
}

// Everything that is pruned away bit by bit leaves no node behind, whatever the order.
static void prunes_all(void **state)
{
    size_t objects = world_objects();

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t at = some_index(), *slot = tree_make(&tree, at);
        *slot = 1;
        model_set(at, 1);
    }
    while (count > 0) {
        uint64_t at = model[world_random(count)].index;
        remove_range(at, at + 1);
        walk(0, UINT64_MAX);
    }
    assert_true(tree.root == 0 && tree.height == 0);
    assert_int_equal(world_objects(), objects);
}

// Without memory a place is not made, what was there stays, and nothing is lost.
static void no_memory(void **state)
{
    size_t objects = world_objects();
    uint64_t *slot;

    (void)state;
    for (long n = 0; n < TREE_LEVELS; n++) {
        world_allow = n;
        assert_null(tree_make(&tree, LAST));
        world_allow = -1;
        slot = tree_find(&tree, LAST);
        assert_true(slot == NULL || *slot == 0);
        assert_int_equal(world_objects(), objects);
    }
    world_allow = TREE_LEVELS;
    slot = tree_make(&tree, LAST);
    assert_non_null(slot);
    *slot = 7;
    assert_null(tree_make(&tree, 0));
    world_allow = -1;
    assert_int_equal(*tree_find(&tree, LAST), 7);
    tree_destroy(&tree);
    assert_int_equal(world_objects(), objects);
    // More levels than there is memory for: the one page stays where it was.
    *tree_make(&tree, 0) = 5;
    for (long n = 0; n < 2 * TREE_LEVELS - 1; n++) {
        world_allow = n;
        assert_null(tree_make(&tree, LAST));
        world_allow = -1;
        assert_int_equal(*tree_find(&tree, 0), 5);
        assert_int_equal(world_objects(), objects);
    }
    assert_null(tree_make(&tree, LAST + 1));
    *tree_make(&tree, LAST) = 6;
    assert_true(*tree_find(&tree, 0) == 5 && *tree_find(&tree, LAST) == 6);
    tree_destroy(&tree);
    assert_int_equal(world_objects(), objects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_steps), cmocka_unit_test(prunes_all), cmocka_unit_test(no_memory),
    };

    world_seed("tree");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
