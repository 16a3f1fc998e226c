// mixture.c - the program (mixture.h).
#include "mixture.h"

enum kind { THREAD, JOB, TASK, KINDS };
enum { TURNS = 4, ROOM = 3, FEED = 10, FIB = 11, FIB_IS = 89 };

struct mixture mixture;

// ---- pairs: question and answer ---------------------------------------------------------------------------------

// Each is run by one of its kind: threads and jobs block, tasks return.
struct player {
    struct task task;
    struct steal_job job;
    void (*fn)(void *);                  // of a thread
    struct event over;                   // of a thread
    struct pair *pair;
};
struct pair {
    struct player asks, answers;
    enum kind asker, answerer;
    struct future question[TURNS], answer[TURNS];
    uint64_t result;
};
static struct pair pair[KINDS][KINDS];

static uint64_t answer_of(const struct pair *p, uint64_t question)
{
    return 3 * question + 10 * p->asker + p->answerer;
}
static uint64_t expected(const struct pair *p)
{
    uint64_t value = 1;

    for (int i = 0; i < TURNS; i++) {
        value = answer_of(p, value) + 1;
    }
    return value;
}
static void asks(void *player)
{
    struct pair *p = ((struct player *)player)->pair;
    uint64_t value = 1;

    for (int i = 0; i < TURNS; i++) {
        future_set(&p->question[i], (void *)value);
        value = (uint64_t)future_wait(&p->answer[i]) + 1;
    }
    p->result = value;
}
static void answers(void *player)
{
    struct pair *p = ((struct player *)player)->pair;

    for (int i = 0; i < TURNS; i++) {
        uint64_t question = (uint64_t)future_wait(&p->question[i]);
        future_set(&p->answer[i], (void *)answer_of(p, question));
    }
}
static enum task_step task_asks(struct task *t)
{
    struct pair *p = ((struct player *)t)->pair;

    if (t->at == 0) {
        future_set(&p->question[t->at++], (void *)1);
    }
    if (task_wait_future(t, &p->answer[t->at - 1])) {
        return TASK_WAIT;
    }
    uint64_t value = (uint64_t)p->answer[t->at - 1].value + 1;
    if (t->at < TURNS) {
        future_set(&p->question[t->at++], (void *)value);
        return TASK_AGAIN;
    }
    p->result = value;
    return TASK_DONE;
}
static enum task_step task_answers(struct task *t)
{
    struct pair *p = ((struct player *)t)->pair;

    for (; t->at < TURNS; t->at++) {
        if (task_wait_future(t, &p->question[t->at])) {
            return TASK_WAIT;
        }
        future_set(&p->answer[t->at], (void *)answer_of(p, (uint64_t)p->question[t->at].value));
    }
    return TASK_DONE;
}

// ---- a buffer that all kinds fill and empty -----------------------------------------------------------------------

static struct units room, items;
static uint64_t inside, moved;           // a
static bool too_many;                    // a
static struct player feeder[KINDS], eater[KINDS];

static void put(void)
{
    if (__atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST) > ROOM) {
        __atomic_store_n(&too_many, true, __ATOMIC_RELAXED);
    }
    units_post(&items);
}
static void get(void)
{
    __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&moved, 1, __ATOMIC_RELAXED);
    units_post(&room);
}
static void feeds(void *player)
{
    (void)player;
    for (int i = 0; i < FEED; i++) {
        units_take(&room);
        put();
    }
}
static void eats(void *player)
{
    (void)player;
    for (int i = 0; i < FEED; i++) {
        units_take(&items);
        get();
    }
}
static enum task_step task_feeds(struct task *t)
{
    for (; t->at < FEED; t->at++) {
        if (task_wait_units(t, &room)) {
            return TASK_WAIT;
        }
        put();
    }
    return TASK_DONE;
}
static enum task_step task_eats(struct task *t)
{
    for (; t->at < FEED; t->at++) {
        if (task_wait_units(t, &items)) {
            return TASK_WAIT;
        }
        get();
    }
    return TASK_DONE;
}

// ---- jobs ---------------------------------------------------------------------------------------------------------

struct fib {
    uint64_t n, result;
};
static void fib(void *argument)
{
    struct fib *f = argument, a = {f->n - 1, 0}, b = {f->n - 2, 0};
    struct steal_job job;

    if (f->n < 2) {
        f->result = f->n;
        return;
    }
    steal_spawn(&job, fib, &a);
    fib(&b);
    steal_sync(&job);
    f->result = a.result + b.result;
}
// All players that are jobs, as children of this one.
static void jobs(void *argument)
{
    for (int i = 0; i < KINDS; i++) {
        steal_spawn(&pair[JOB][i].asks.job, asks, &pair[JOB][i].asks);
        steal_spawn(&pair[i][JOB].answers.job, answers, &pair[i][JOB].answers);
    }
    steal_spawn(&feeder[JOB].job, feeds, &feeder[JOB]);
    steal_spawn(&eater[JOB].job, eats, &eater[JOB]);
    fib(argument);
    steal_sync(&eater[JOB].job);
    steal_sync(&feeder[JOB].job);
    for (int i = KINDS - 1; i >= 0; i--) {
        steal_sync(&pair[i][JOB].answers.job);
        steal_sync(&pair[JOB][i].asks.job);
    }
}

// ---- a round ------------------------------------------------------------------------------------------------------

static void *thread_main(void *argument)
{
    struct player *p = argument;

    p->fn(p);
    event_signal(&p->over);
    return NULL;
}
static void begin(struct player *p, enum kind kind, void (*fn)(void *), task_fn *step)
{
    static const struct thread_attributes detached = {.detached = true};
    struct thread *t;

    p->fn = fn;
    event_init(&p->over);
    if (kind == TASK) {
        task_begin(&mixture.tasks, &p->task, step);
    } else if (kind == THREAD && thread_fork(&t, &detached, thread_main, p) != THREAD_OK) {
        __builtin_trap();
    }
}
// Jobs are awaited by their root.
static void wait_for(struct player *p, enum kind kind)
{
    if (kind != JOB) {
        event_wait(kind == TASK ? &p->task.over : &p->over);
    }
}
static void prepare(void)
{
    units_init(&room, ROOM);
    units_init(&items, 0);
    inside = moved = 0;
    for (int i = 0; i < KINDS; i++) {
        for (int k = 0; k < KINDS; k++) {
            struct pair *p = &pair[i][k];
            p->asker = (enum kind)i;
            p->answerer = (enum kind)k;
            p->asks.pair = p->answers.pair = p;
            for (int n = 0; n < TURNS; n++) {
                future_init(&p->question[n]);
                future_init(&p->answer[n]);
            }
        }
    }
}
static bool right(const struct fib *f)
{
    bool all = f->result == FIB_IS && inside == 0 && moved == KINDS * FEED && !too_many;

    for (int i = 0; i < KINDS; i++) {
        for (int k = 0; k < KINDS; k++) {
            all &= pair[i][k].result == expected(&pair[i][k]);
        }
    }
    return all;
}
bool mixture_round(void)
{
    struct fib f = {.n = FIB};

    prepare();
    for (int i = 0; i < KINDS; i++) {
        for (int k = 0; k < KINDS; k++) {
            begin(&pair[i][k].asks, (enum kind)i, asks, task_asks);
            begin(&pair[i][k].answers, (enum kind)k, answers, task_answers);
        }
        begin(&feeder[i], (enum kind)i, feeds, task_feeds);
        begin(&eater[i], (enum kind)i, eats, task_eats);
    }
    steal_call(&mixture.jobs, jobs, &f);
    for (int i = 0; i < KINDS; i++) {
        for (int k = 0; k < KINDS; k++) {
            wait_for(&pair[i][k].asks, (enum kind)i);
            wait_for(&pair[i][k].answers, (enum kind)k);
        }
        wait_for(&feeder[i], (enum kind)i);
        wait_for(&eater[i], (enum kind)i);
    }
    mixture.rounds += right(&f);
    return right(&f);
}
bool mixture_begin(uint32_t for_jobs, uint32_t for_tasks)
{
    return steal_begin(&mixture.jobs, for_jobs, for_jobs + 2, 0) == THREAD_OK &&
           tasks_begin(&mixture.tasks, for_tasks, for_tasks + 2) == THREAD_OK;
}
