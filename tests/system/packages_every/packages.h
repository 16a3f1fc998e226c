// packages.h - what the operations of this test share.
#pragma once
#include "../../../lib/cthreads/cthreads.h"
#include "../../../lib/steal/steal.h"
#include "../../../lib/tasks/tasks.h"
#include "../threads_every/every.h"

extern const struct operation operations_steal[], operations_tasks[], operations_cthreads[];
extern const struct operation large_steal[], large_tasks[], races_steal[], races_tasks[];
extern struct steal steal_package;
extern struct tasks tasks_package;

// ---- a flow that waits to come in between: a worker's, in a job or a task

struct visitor {
    struct event here;                   // it is going to park
    struct waitable *volatile who;
    volatile bool go;
};
void visitor_init(struct visitor *v);
void visitor_parks(struct visitor *v);           // by that flow: until it may go on
void visitor_between(struct visitor *v);   // it goes on when somebody is stopped
void visitor_let(struct visitor *v);             // or now

// ---- after an operation

// All workers have left, and there is nothing to do.
void package_settle(struct package *p);
// As a call of the kernel that blocks.
void kernel_sleep(void);
// The program's free records of threads with stacks of the usual size: all of them; and back.
struct thread *records_take(void);
void records_give(struct thread *all);
