// allocate.c - srm decides about processors, if the policy has weights: it answers the supervisor's questions.
//
// Questions come as signals of a device page, which srm's thread gets; as all signals they are hints, and each round of
// the main loop looks at the question's number. While srm does not answer, or not in time, the supervisor decides by
// itself (abi/allocation.h). Scheduler Activations, 3.3: a distinguished application-level server.
#include <base.h>
#include <sys.h>

#include "srm.h"
#include "weights.h"

enum { ANSWER_PLACE = PLACE_END + 1, QUESTION_PLACE, TRIES = 4 };
_Static_assert((int)QUESTION_PLACE < (int)SERVICE_PAGE, "pages of the window's first unit");

static struct allocation_answer *const answer = (struct allocation_answer *)DEVICE_PLACE(ANSWER_PLACE);
static const struct allocation_question *const question =
    (const struct allocation_question *)DEVICE_PLACE(QUESTION_PLACE);

static struct weights weights;
static bool decides;
static uint64_t answered;                            // the last question that was

static err_t send(uint64_t number)
{
    uint64_t receivers;

    __atomic_store_n(&answer->number, number, __ATOMIC_RELEASE);
    return sys_signal_at((va_t)answer, &receivers);
}

static bool has_weights(const struct policy *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        if (p->kernel[i].weight != 0) {
            return true;
        }
    }
    return false;
}

void allocate_start(const struct policy *policy)
{
    pa_t page = allocation_page(srm_system->devices);

    if (!has_weights(policy)) {
        return;
    }
    weights_start(&weights, policy, ALLOCATION_AGAIN * srm_system->slice);
    err_t e = sys_mapping_load_signal(srm_info->space, (va_t)question, page + ABI_PAGE, MAP_READ | MAP_LOCKED,
                                      srm_info->thread);
    if (e == ERR_OK) {
        e = sys_mapping_load(srm_info->space, (va_t)answer, page, MAP_WRITE | MAP_MESSAGE | MAP_LOCKED);
    }
    e = e == ERR_OK ? send(ALLOCATION_BEGIN) : e;
    if (e != ERR_OK) {
        srm_fail("the weights of the policy cannot be kept: %s", srm_error_text(e));
    }
    decides = true;
}

// A copy of the question as it was at one moment.
static bool read_question(struct allocation_question *q)
{
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t number = __atomic_load_n(&question->number, __ATOMIC_ACQUIRE);
        memcpy(q, question, sizeof(*q));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (number % 2 == 0 && __atomic_load_n(&question->number, __ATOMIC_RELAXED) == number) {
            return number != 0;
        }
    }
    return false;
}

static void decide(const struct allocation_question *q)
{
    unsigned owner[ALLOCATION_CLAIMANTS];
    uint32_t gets[ALLOCATION_CLAIMANTS];

    for (uint32_t i = 0; i < q->count; i++) {
        uint64_t cookie = q->claimant[i].kernel;
        owner[i] = (cookie & 3) == PART_KERNEL && app_number((unsigned)(cookie >> 2)) != NULL ? (unsigned)(cookie >> 2)
                                                                                             : WEIGHTS_OTHERS;
    }
    weights_divide(&weights, q, owner, srm_system->cpus, gets);
    answer->count = q->count;
    for (uint32_t i = 0; i < q->count; i++) {
        answer->claimant[i].space = q->claimant[i].space;
        answer->claimant[i].processors = gets[i];
    }
}

void allocate_look(void)
{
    static struct allocation_question q;

    for (unsigned i = 0; decides && i < TRIES && read_question(&q) && q.number != answered; i++) {
        decide(&q);
        answered = q.number;
        (void)send(q.number);                        // refused: there is a newer one by now
    }
}
