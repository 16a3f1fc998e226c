// boot.S - from the loader's 32-bit entry to C in the upper half; and the way up of every other processor.
//
// Loaders: PVH (an ELF note names the entry; EBX = start info) and Multiboot2 (a header in the image; EAX =
// magic, EBX = information).  Both enter in 32-bit protected mode with paging off.
//
// The boot tables map the first 4 GiB three times, by 2-MiB pages: as they are (for the instructions around
// the switch to paging), as the map of memory, and the first GiB as the image.  They are writable and
// executable all over and live until the processors are up; nobody who runs user programs uses them
// (paging.c makes the others).
#include "layout.h"

#define PA(x)              ((x) - IMAGE_BASE)
#define PVH_NOTE           18
#define MB2_MAGIC          0xe85250d6
#define MB2_LOADER_MAGIC   0x36d76289

#define EFER               0xc0000080
#define EFER_BITS          0x900            // long mode, no-execute
#define CR4_BITS           0x20             // physical address extension
#define CR0_BITS           0x80010001       // paging, write protection, protection
#define BOOT_PTE           0x3              // present, writable
#define BOOT_PTE_LARGE     0x83

    .section .note.GNU-stack, "", @progbits

// ---- what loaders look for --------------------------------------------------------------------------------

    .section .boot.header, "a"
    .balign 8
mb2_header:
    .long MB2_MAGIC, 0, mb2_end - mb2_header
    .long -(MB2_MAGIC + (mb2_end - mb2_header))
    .balign 8
    .short 3, 0                             // entry address
    .long 12, PA(boot_multiboot2)
    .balign 8
    .short 6, 0                             // modules on page boundaries
    .long 8
    .balign 8
    .short 0, 0
    .long 8
mb2_end:

    .section .note.boot, "a", @note
    .balign 4
    .long 4, 4, PVH_NOTE
    .asciz "Xen"
    .long PA(boot_entry)

// ---- the boot processor -----------------------------------------------------------------------------------

    .section .boot.text, "ax"
    .code32
    .globl boot_entry, boot_multiboot2
boot_entry:                                 // PVH
    xorl %edi, %edi
    jmp boot_common
boot_multiboot2:
    movl $1, %edi
    cmpl $MB2_LOADER_MAGIC, %eax
    jne boot_stop
boot_common:
    cli
    cld
    movl %ebx, %esi
    movl $0x80000001, %eax                  // long mode and no-execute, or nothing can be done
    cpuid
    andl $0x20100000, %edx
    cmpl $0x20100000, %edx
    jne boot_stop

    movl $PA(boot_pd), %ebx                 // 4 GiB by 2-MiB pages
    movl $BOOT_PTE_LARGE, %eax
1:  movl %eax, (%ebx)
    addl $8, %ebx
    addl $0x200000, %eax
    jnc 1b
    movl $PA(boot_pd) + BOOT_PTE, %eax
    movl $PA(boot_pdpt_low), %ebx
    movl $4, %ecx
1:  movl %eax, (%ebx)
    addl $8, %ebx
    addl $4096, %eax
    loop 1b
    movl $PA(boot_pd) + BOOT_PTE, PA(boot_pdpt_high) + 510 * 8
    movl $PA(boot_pdpt_low) + BOOT_PTE, PA(boot_pml4)
    movl $PA(boot_pdpt_low) + BOOT_PTE, PA(boot_pml4) + 256 * 8
    movl $PA(boot_pdpt_high) + BOOT_PTE, PA(boot_pml4) + 511 * 8

    lgdtl PA(boot_gdtr)

// To long mode with the boot tables: each processor, still at the low address, in 32-bit code.  No data segment is
// used; in 64-bit code they mean nothing, and cpu_init.c loads them.
boot_paging:
    movl $CR4_BITS, %eax
    movl %eax, %cr4
    movl $PA(boot_pml4), %eax
    movl %eax, %cr3
    movl $EFER, %ecx
    rdmsr
    orl $EFER_BITS, %eax
    wrmsr
    movl %cr0, %eax
    orl $CR0_BITS, %eax
    movl %eax, %cr0
    ljmpl $SELECTOR_KCODE, $PA(boot_64)
boot_stop:
    hlt
    jmp boot_stop

    .code64
boot_64:
    movabsq $1f, %rax
    jmp *%rax
1:  xorl %ebp, %ebp
    movq start_stack(%rip), %rsp
    testq %rsp, %rsp
    jnz boot_other
    movq $boot_stack_top, %rsp
    movl %edi, %edi
    movl %esi, %esi
    call machine_boot                       // (protocol, information): gives the top of the real stack
    movq %rax, %rsp
    call machine_boot_on_stack
    jmp exit_to_user
boot_other:
    movq start_root(%rip), %rax
    movq %rax, %cr3
    movq start_cpu(%rip), %rdi
    call machine_start                      // (cpu)
    jmp exit_to_user

// ---- the others -------------------------------------------------------------------------------------------

    // Copied to a page below 1 MiB, where a processor begins in real mode.
    .globl trampoline, trampoline_end
    .code16
    .balign 16
trampoline:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl (trampoline_gdtr - trampoline)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $SELECTOR_SYSRET, $PA(boot_paging)
    .balign 4
trampoline_gdtr:
    .short boot_gdt_end - boot_gdt - 1
    .long PA(boot_gdt)
trampoline_end:

    .section .data
    .balign 16
boot_gdt:
    .quad 0
    .quad 0x00af9a000000ffff                // SELECTOR_KCODE: 64-bit code
    .quad 0                                 // SELECTOR_KDATA
    .quad 0x00cf9a000000ffff                // SELECTOR_SYSRET: here, 32-bit code
boot_gdt_end:
boot_gdtr:
    .short boot_gdt_end - boot_gdt - 1
    .long PA(boot_gdt)

    // What the next processor to come up is given.
    .globl start_root, start_stack, start_cpu
    .balign 8
start_root:
    .quad 0
start_stack:
    .quad 0
start_cpu:
    .quad 0

    .section .bss
    .globl boot_pml4, boot_pdpt_low, boot_pdpt_high, boot_tables_end
    .balign 4096
boot_pml4:
    .skip 4096
boot_pdpt_low:                              // also of the map of memory
    .skip 4096
boot_pdpt_high:
    .skip 4096
boot_pd:
    .skip 4 * 4096
boot_tables_end:
    .skip 8192
boot_stack_top:
