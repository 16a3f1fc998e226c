// hello.c - the smallest application kernel that does what one is for: a tutorial.
//
// An application kernel decides; the supervisor only keeps what was decided in its caches.  This one runs a
// single program, in a space of its own.  It chooses the program's memory, gives it page by page when the
// program first touches it, serves its system calls, hears of its end, and ends itself.  Sections are those
// of the Cache Kernel paper.  `./quoin run --policy tests/system/hello/policy` runs it.
//
// What is not here because one program needs none of it: locks (handlers of several threads run at once), and
// loading descriptors again that the supervisor had to evict (lib/appkernel does that).
#include <appkernel.h>
#include <base.h>
#include <device.h>
#include <sys.h>

extern const char program_begin[], program_end[];        // program.S

enum { TEXT = 0x400000, DATA = 0x800000, DATA_SIZE = 16 * ABI_PAGE };
enum { CALL_WRITE = 1, CALL_EXIT = 2 };

static oid_t program_space;
static pa_t  program_text, program_data[DATA_SIZE / ABI_PAGE];      // its segments: the frame of each page

_Noreturn void hello_trap(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void hello_fault(struct thread_state *s, uint64_t cookie, unsigned depth);
_Noreturn void hello_exception(struct thread_state *s, uint64_t cookie, unsigned depth);
AK_NOTE(hello_trap, hello_fault, hello_exception);       // how the supervisor learns of these three

// End the program: the thread that runs here unloads itself.  Its registers and the value are written to
// its state page, then its kernel's writeback channel says so (section 2.3).
static _Noreturn void end(uint64_t value)
{
    for (;;) {
        (void)sys_thread_unload(0, value);
    }
}

// A page fault (section 2.1, figure 2).  The supervisor found no mapping, and made the faulting thread
// itself run here, in this kernel's space.  The fault address is in the frame it left behind.  If the
// address is one of ours to give: take a frame, load the mapping, and return to the instruction, in one
// call.
void hello_fault(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    const struct frame *f = &s->frame[depth];
    uint64_t page = (f->addr - DATA) / ABI_PAGE;

    (void)cookie;
    if (depth == 0 && f->addr >= DATA && page < DATA_SIZE / ABI_PAGE) {
        if (program_data[page] == 0 && (program_data[page] = ak_frame_alloc()) != 0) {
            memset(ak_window(program_data[page]), 0, ABI_PAGE);
        }
        (void)sys_mapping_load_and_resume(program_space, f->addr & ~(va_t)(ABI_PAGE - 1), program_data[page],
                                          MAP_READ | MAP_WRITE);
    }
    ak_log("the program may not touch 0x%lx", (unsigned long)f->addr);
    end(139);
}

// A trap (section 2.3): the program executed SYSCALL, and this thread goes on here.  What the numbers mean
// is this kernel's business alone.  The program's memory is seen through the window, by this kernel's own
// tables.
void hello_trap(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    struct frame *f = &s->frame[depth];
    uint64_t taken = 0;

    (void)cookie;
    if (f->rax == CALL_EXIT) {
        end(f->rdi);
    }
    if (f->rax == CALL_WRITE && f->rdi == DATA && f->rsi <= ABI_PAGE && program_data[0] != 0) {
        (void)device_write(ak_info, DEVICE_TERMINAL, ak_window(program_data[0]), f->rsi, &taken);
    }
    f->rax = taken;                      // the program will see this in RAX
    (void)sys_resume(program_space);
    end(139);                            // only reached if the space is gone
}

void hello_exception(struct thread_state *s, uint64_t cookie, unsigned depth)
{
    (void)cookie;
    ak_log("the program failed: exception %u", s->frame[depth].vector);
    end(139);
}

// Load a thread that starts the program (section 2.3).  A thread is a state page: registers that this
// kernel writes and the supervisor reads when it loads them into a processor.
static err_t start_program(pa_t state, pa_t stack, oid_t *thread)
{
    struct thread_state *s = ak_window(state);
    struct thread_desc d = {.space = program_space, .priority = 1, .state = state, .state_va = (va_t)s,
                            .xstack = (va_t)ak_window(stack) + ABI_PAGE};

    memset(s, 0, ABI_PAGE);
    s->frame[0].rip = TEXT;
    return sys_thread_load(&d, thread);
}

// The kernel's first thread, loaded by whoever started it (section 3).
int ak_main(const struct kernel_info *info)
{
    pa_t place = ak_frame_alloc(), state = ak_frame_alloc(), stack = ak_frame_alloc();
    struct space_desc space = {.rule = TRAP_FORWARD, .place = place};
    const struct thread_state *s = ak_window(state);
    oid_t thread;

    program_text = ak_frame_alloc();
    if (place == 0 || state == 0 || stack == 0 || program_text == 0) {
        return 1;
    }
    memcpy(ak_window(program_text), program_begin, (size_t)(program_end - program_begin));
    // An address space is loaded empty (section 2.1).  The text is mapped now; all else is mapped on demand.
    if (sys_listen(info->thread) != ERR_OK || sys_space_load(&space, &program_space) != ERR_OK ||
        sys_mapping_load(program_space, TEXT, program_text, MAP_READ | MAP_EXEC) != ERR_OK ||
        start_program(state, stack, &thread) != ERR_OK) {
        return 2;
    }
    // The program runs.  Wait for its writeback: the supervisor signals the thread that listens.
    while (__atomic_load_n(&s->loaded, __ATOMIC_ACQUIRE) != 0) {
        (void)sys_wait(0);
    }
    ak_log("the program ended: reason %u, value %lu", s->reason, (unsigned long)s->value);
    if (sys_space_unload(program_space) != ERR_OK) {         // its mappings go with it
        return 3;
    }
    return s->reason == REASON_EXITED ? (int)s->value : 139;
}
