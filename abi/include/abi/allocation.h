// allocation.h - who gets how many processors can be decided by a server outside of the supervisor.
//
// The supervisor's own policy is max-min fair (kernel/fair.h). A server takes its place for the spaces that schedule
// their own threads (activation.h: claimants), by messages on a pair of device pages (device.h): the last two of the
// clock, which are no alarm. The mapping is the right: the first kernel has it, and passes it on by mapping the two
// pages for another kernel.
//     question   the odd page, written by the supervisor; its address is signalled. One thread maps it for signals
//     answer     the even page, written by the server; its address is signalled when the answer is there
// The value of that signal is 1, or its error ERR_INVAL for an answer that makes no sense, which changes nothing.
//
// A server begins with an answer of the number ALLOCATION_BEGIN and is asked at once if there are claimants; each
// question has another number, which its answer repeats. It is asked when claimants, their levels or what they want
// have changed, at most four times a slice, and ALLOCATION_AGAIN slices after the last question in any case. An
// answer may be given again with other contents as long as its question is the last one.
//
// An answer says for each claimant, in the order of the question, how many processors it has when no threads of other
// spaces run. They are limits: the supervisor deals processors among threads and claimants by its own rules, and gives
// nobody more than that. An answer is refused if
//     - its number is not that of the last question, or it does not name the same spaces in the same order;
//     - a space has more than it wants;
//     - on some level they do not add up to what is wanted there or, if that is less, to the processors that the levels
//       above have left.  So a lower level gets nothing at a higher one's cost, and no processor idles that is wanted.
// Until there is another answer the last one holds, as far as it still keeps these rules; else the fair shares do. They
// also do when no good answer has come ALLOCATION_PATIENCE slices after a question: `late` counts that, and the next
// good answer holds again. When nobody hears a question the delegation has ended. So a server that hangs, lies or is
// unloaded costs nobody more than that time at its last word.
//
// Scheduler Activations, 3.3 and 4.1: decisions can be delegated to a distinguished application-level server.
#pragma once
#include <abi/device.h>

enum {
    ALLOCATION_CLAIMANTS = 64,
    ALLOCATION_AGAIN = 8,                // slices after which a question is asked again
    ALLOCATION_PATIENCE = 4,             // slices that an answer may take
};
enum allocation_number {                 // of an answer; those of questions are even, and larger
    ALLOCATION_END = 0,                  // the supervisor decides again
    ALLOCATION_BEGIN = 1,                // ask me
};

struct allocation_claimant {
    oid_t    space;                      // k  0: one that is being unloaded
    uint64_t kernel;                     // k  cookie of the kernel that it belongs to
    uint32_t level;                      // k  the highest comes first: priority, and 32 while within its kernel's share
    uint32_t wants;                      // k  processors
    uint32_t holds;                      // k  at this moment
    uint32_t reserved;
};

struct allocation_question {
    uint64_t number;                     // k  odd while the rest is written
    uint64_t asked;                      // k  moment of the clock
    uint64_t answers, refused, late;     // k  answers that were good, and not; questions without a good one in time.
                                         //    These three also change between questions
    uint32_t count;                      // k  claimants
    uint32_t reserved;
    struct allocation_claimant claimant[ALLOCATION_CLAIMANTS];
};

struct allocation_answer {
    uint64_t number;                     // u
    uint32_t count;                      // u
    uint32_t reserved;
    struct {
        oid_t    space;                  // u
        uint32_t processors;             // u
        uint32_t reserved;
    } claimant[ALLOCATION_CLAIMANTS];
};
_Static_assert(sizeof(struct allocation_question) <= ABI_PAGE && sizeof(struct allocation_answer) <= ABI_PAGE, "pages");

// The answer's page; the question's follows.
enum { ALLOCATION_PAGE = DEVICE_PAGES - 2 };
static inline pa_t allocation_page(pa_t devices)
{
    return device_page(devices, DEVICE_CLOCK, ALLOCATION_PAGE);
}
