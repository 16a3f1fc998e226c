// tasks.c - operations of lib/tasks: tasks that begin others, wait and are awaited, futures; each side of a race is
// stopped wherever it may be while the other one goes on.
//
// A task that is a visitor blocks its worker, which is the package's first one.
#include "packages.h"

enum { ITEMS = 3, MANY = DEQUE_SIZE + 60 };

struct item {
    struct task task;
    uint32_t ran;                        // a  times that it came to its end
    struct future *future;
};

struct tasks tasks_package;
static struct item item[ITEMS], many[MANY], guest, host;
static struct visitor visitor, owner;
static struct future question, answer;
static struct event happens, later, all_ran;
static struct units units;
static uint64_t items, runs;             // how many there are; a: have run

// ---- items ------------------------------------------------------------------------------------------------------

static enum task_step ends(struct task *t)
{
    __atomic_add_fetch(&((struct item *)t)->ran, 1, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&runs, 1, __ATOMIC_ACQ_REL) == items) {
        event_signal(&all_ran);
    }
    return TASK_DONE;
}
static void prepare(uint64_t n)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        item[i].ran = 0;
        item[i].future = &question;
    }
    items = n;
    runs = 0;
    visitor_init(&visitor);
    visitor_init(&owner);
    future_init(&question);
    future_init(&answer);
    event_init(&happens);
    event_init(&later);
    event_init(&all_ran);
}
static void settle(void)
{
    package_settle(&tasks_package.package);
    CHECK(runs == items);
    for (unsigned i = 0; i < ITEMS; i++) {
        CHECK(item[i].ran == (i < items && items <= ITEMS));
    }
}
static void begin_item(unsigned i, task_fn *fn)
{
    task_begin(&tasks_package, &item[i].task, fn);
}
static void wait_items(void)
{
    for (unsigned i = 0; i < items; i++) {
        event_wait(&item[i].task.over);
    }
}
// When it is called those before it have been.
static enum task_step tells_later(struct task *t)
{
    event_signal(&later);
    return ends(t);
}

// ---- begin and end ----------------------------------------------------------------------------------------------

static void begin(void)
{
    static struct tasks refused;

    operation_begin();
    CHECK(tasks_begin(&refused, 0, 1) == THREAD_INVALID);
    if (tasks_package.package.flows == 0) {
        CHECK(tasks_begin(&tasks_package, 1, 2) == THREAD_OK);
    }
    operation_end();
}
static void alone(void)
{
    prepare(1);
    operation_begin();
    begin_item(0, ends);
    event_wait(&item[0].task.over);
    operation_end();
    settle();
}
static uint64_t calls;
static enum task_step ends_at_third(struct task *t)
{
    __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    return t->at++ < 2 ? TASK_AGAIN : ends(t);
}
static void again(void)
{
    prepare(ITEMS);
    calls = 0;
    operation_begin();
    for (unsigned i = 0; i < ITEMS; i++) {
        begin_item(i, ends_at_third);
    }
    wait_items();
    operation_end();
    settle();
    CHECK(calls == ITEMS * 3);
}
static enum task_step has_children(struct task *t)
{
    if (t->at == 0) {
        begin_item(0, ends);
        begin_item(1, ends);
        t->at = 1;
    }
    for (; t->at <= 2; t->at++) {
        if (task_wait(t, &item[t->at - 1].task.over)) {
            return TASK_WAIT;
        }
    }
    return ends(t);
}
static void children(void)
{
    prepare(ITEMS);
    operation_begin();
    begin_item(2, has_children);
    event_wait(&item[2].task.over);
    operation_end();
    settle();
}
static void after(void)
{
    prepare(ITEMS);
    operation_begin();
    task_begin_after(&tasks_package, &item[0].task, ends, &happens);
    task_begin_after(&tasks_package, &item[1].task, ends, &item[0].task.over);
    CHECK(runs == 0);
    event_signal(&happens);
    task_begin_after(&tasks_package, &item[2].task, ends, &happens);
    wait_items();
    operation_end();
    settle();
}
static enum task_step sleeps(struct task *t)
{
    kernel_sleep();
    return ends(t);
}
static void blocked(void)
{
    prepare(ITEMS);
    operation_begin();
    begin_item(0, sleeps);
    begin_item(1, ends);
    begin_item(2, sleeps);
    wait_items();
    operation_end();
    settle();
}

// ---- waits ------------------------------------------------------------------------------------------------------

static enum task_step waits_future(struct task *t)
{
    struct item *i = (struct item *)t;

    if (task_wait_future(t, i->future)) {
        return TASK_WAIT;
    }
    CHECK(i->future->value == &question);
    return ends(t);
}
static enum task_step answers(struct task *t)
{
    enum task_step s = waits_future(t);

    if (s == TASK_DONE) {
        future_set(&answer, &answer);
    }
    return s;
}
static void futures(void)
{
    prepare(ITEMS);
    operation_begin();
    begin_item(0, waits_future);
    begin_item(1, answers);
    begin_item(2, tells_later);
    event_wait(&later);
    future_set(&question, &question);
    CHECK(future_wait(&answer) == &answer && future_wait(&question) == &question);
    wait_items();
    operation_end();
    settle();
}
// Called again although it waits: it is on the list all the time.
static enum task_step waits_impatiently(struct task *t)
{
    if (task_wait_units(t, &units)) {
        return t->at++ < 2 ? TASK_AGAIN : TASK_WAIT;
    }
    return ends(t);
}
static enum task_step waits_unit(struct task *t)
{
    return task_wait_units(t, &units) ? TASK_WAIT : ends(t);
}
static void semaphore(void)
{
    prepare(ITEMS);
    units_init(&units, 1);
    operation_begin();
    begin_item(0, waits_unit);
    begin_item(1, waits_unit);
    begin_item(2, waits_impatiently);
    event_wait(&item[0].task.over);
    units_post(&units);
    units_post(&units);
    wait_items();
    operation_end();
    settle();
    CHECK(!units_try(&units) && units.waiters == NULL);
}
static enum task_step waits_impatiently_for_event(struct task *t)
{
    if (task_wait(t, &happens)) {
        return t->at++ < 2 ? TASK_AGAIN : TASK_WAIT;
    }
    return ends(t);
}
// It puts itself on the list.
static enum task_step lists_itself(struct task *t)
{
    if (t->at == 0) {
        t->at = 1;
        if (event_add(&happens, &t->waiter)) {
            return TASK_WAIT;
        }
    }
    return task_wait_woken(t) ? TASK_WAIT : ends(t);
}
static void by_hand(void)
{
    prepare(ITEMS);
    operation_begin();
    begin_item(0, waits_impatiently_for_event);
    begin_item(1, lists_itself);
    begin_item(2, tells_later);
    event_wait(&later);
    event_signal(&happens);
    wait_items();
    operation_end();
    settle();
}
static void several(void)
{
    struct when_all none, over, all;
    struct waiter link[4];

    prepare(1);
    event_signal(&later);
    operation_begin();
    when_all_init(&none, 0);
    when_all_init(&over, 1);
    when_all_add(&over, &later, &link[3]);
    CHECK(event_over(&none.all) && event_over(&over.all));
    when_all_init(&all, 3);
    when_all_add(&all, &later, &link[0]);
    when_all_add(&all, &happens, &link[1]);
    begin_item(0, ends);
    when_all_add(&all, &item[0].task.over, &link[2]);
    CHECK(!event_over(&all.all));
    event_signal(&happens);
    event_wait(&all.all);
    operation_end();
    settle();
}

// ---- one side is stopped, the other one comes in between ----------------------------------------------------------

static void begin_visitor(struct item *i, task_fn *fn)
{
    i->ran = 0;
    i->future = &question;
    task_begin(&tasks_package, &i->task, fn);
    event_wait(&visitor.here);
}
static void end_visitor(struct item *i)
{
    visitor_let(&visitor);
    event_wait(&i->task.over);
    CHECK(i->ran == 1);
}
static enum task_step sets(struct task *t)
{
    visitor_parks(&visitor);
    future_set(&question, &question);
    return ends(t);
}
// Whoever waits is stopped, and its end comes.
static void set_between(void)
{
    prepare(ITEMS + 1);
    begin_visitor(&guest, sets);
    visitor_between(&visitor);
    operation_begin();
    begin_item(0, waits_future);
    begin_item(1, waits_future);
    begin_item(2, tells_later);
    event_wait(&later);
    end_visitor(&guest);
    for (unsigned i = 0; i < ITEMS; i++) {
        event_wait(&item[i].task.over);
    }
    operation_end();
    package_settle(&tasks_package.package);
    CHECK(runs == items && item[0].ran == 1 && item[1].ran == 1 && item[2].ran == 1);
}
// It has said that it waits, but its worker has not seen that yet.
static enum task_step waits_slowly(struct task *t)
{
    struct item *i = (struct item *)t;

    if (task_wait_future(t, i->future)) {
        if (t->at++ == 0) {
            visitor_parks(&visitor);
        }
        return TASK_WAIT;
    }
    return ends(t);
}
static enum task_step sets_at_once(struct task *t)
{
    future_set(&question, &question);
    return ends(t);
}
// Who ends the wait is stopped, and the wait begins.  unblocks: more than it needs, while it runs.
static void ends_wait(unsigned unblocks)
{
    prepare(2);
    begin_visitor(&guest, waits_slowly);
    visitor_between(&visitor);
    operation_begin();
    while (unblocks-- > 0) {
        waitable_unblock(&guest.task.waitable);
    }
    begin_item(0, sets_at_once);
    event_wait(&item[0].task.over);
    end_visitor(&guest);
    operation_end();
    package_settle(&tasks_package.package);
    CHECK(runs == 2 && item[0].ran == 1);
}
static void wait_between(void) { ends_wait(0); }
static void unblocked_twice(void) { ends_wait(2); }
// It lets others run, one of which may be the worker that comes in between; there it waits.
static enum task_step waits_later(struct task *t)
{
    return t->at++ == 0 ? TASK_AGAIN : waits_future(t);
}
static enum task_step visits(struct task *t)
{
    visitor_parks(&visitor);
    return ends(t);
}
static enum task_step begins_all(struct task *t)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        begin_item(i, ends);
    }
    return ends(t);
}
// Who has a queue is stopped, and a thief comes.
static void robbed(void)
{
    prepare(ITEMS + 2);
    host.ran = 0;
    begin_visitor(&guest, visits);
    visitor_between(&visitor);
    operation_begin();
    task_begin(&tasks_package, &host.task, begins_all);
    event_wait(&host.task.over);
    for (unsigned i = 0; i < ITEMS; i++) {
        event_wait(&item[i].task.over);
    }
    end_visitor(&guest);
    operation_end();
    package_settle(&tasks_package.package);
    CHECK(runs == items && host.ran == 1 && item[0].ran == 1 && item[1].ran == 1 && item[2].ran == 1);
}
static void again_between(void)
{
    prepare(ITEMS);
    begin_visitor(&guest, visits);
    visitor_between(&visitor);
    operation_begin();
    begin_item(0, waits_later);
    begin_item(1, tells_later);
    event_wait(&later);
    end_visitor(&guest);
    package_settle(&tasks_package.package);          // who was stopped has gone on
    future_set(&question, &question);
    event_wait(&item[0].task.over);
    event_wait(&item[1].task.over);
    operation_end();
    package_settle(&tasks_package.package);
    CHECK(runs == items && item[0].ran == 1 && item[1].ran == 1);
}
// A thief is stopped, and who has the queue goes on.
static enum task_step begins_and_parks(struct task *t)
{
    owner.who = waitable_self();
    visitor_parks(&visitor);
    for (unsigned i = 0; i < ITEMS; i++) {
        begin_item(i, ends);
    }
    visitor_between(&owner);
    visitor_parks(&owner);
    __atomic_add_fetch(&((struct item *)t)->ran, 1, __ATOMIC_RELAXED);
    return TASK_DONE;
}
static void thief(void)
{
    prepare(ITEMS);
    begin_visitor(&host, begins_and_parks);
    operation_begin();
    visitor_let(&visitor);
    event_wait(&all_ran);
    visitor_let(&owner);
    end_visitor(&host);
    operation_end();
    settle();
}

// ---- a queue is full ----------------------------------------------------------------------------------------------

static void check_many(void)
{
    for (unsigned i = 0; i < MANY; i++) {
        CHECK(many[i].ran == 1 && event_over(&many[i].task.over));
        many[i].ran = 0;
    }
}
static void begin_many(void)
{
    for (unsigned i = 0; i < MANY; i++) {
        task_begin(&tasks_package, &many[i].task, ends);
    }
}
static enum task_step begins_many(struct task *t)
{
    begin_many();
    return ends(t);
}
static void many_of_others(void)
{
    prepare(MANY);
    operation_begin();
    begin_many();
    event_wait(&all_ran);
    operation_end();
    package_settle(&tasks_package.package);
    check_many();
}
static void many_of_one(void)
{
    prepare(MANY + 1);
    operation_begin();
    begin_item(0, begins_many);
    event_wait(&all_ran);
    operation_end();
    package_settle(&tasks_package.package);
    check_many();
    CHECK(item[0].ran == 1);
}

const struct operation operations_tasks[] = {
    {"tasks: begin", begin}, {"tasks: one", alone}, {"tasks: again", again}, {"tasks: children", children},
    {"tasks: after others", after}, {"tasks: blocked in the kernel", blocked}, {"tasks: futures", futures},
    {"tasks: units", semaphore}, {"tasks: on lists by hand", by_hand}, {"tasks: several events", several},
    {"tasks: a future is set between", set_between}, {"tasks: a wait begins between", wait_between},
    {"tasks: unblocked twice", unblocked_twice}, {"tasks: a thief between", robbed},
    {"tasks: again, a thief between", again_between},
    {"tasks: a thief, the owner between", thief}, {NULL, NULL},
};
const struct operation large_tasks[] = {
    {"tasks: many of others", many_of_others}, {"tasks: many of one", many_of_one}, {NULL, NULL},
};
const struct operation races_tasks[] = {
    {"tasks: a wait begins", wait_between}, {NULL, NULL},
};
