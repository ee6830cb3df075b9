/* Corners of a system call that no compiler makes but an assembler may.
 *
 * - a `syscall` whose `ret` is followed by one byte of padding and then another function: the five
 *   bytes that a jump would need are not all free;
 * - the direction flag set across a call: string instructions of the kernel must not run backwards,
 *   and the flag must come back as it was;
 * - requests whose sizes overflow;
 * - code that is replaced by other code where a call was. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

long crowded_call(void);
long crowded_neighbour(void);

asm(".text\n"
    ".p2align 4\n"
    ".globl crowded_call\n"
    "crowded_call: mov $110, %eax\n" /* getppid, whatever it is */
    "    syscall\n"
    "    ret\n"
    "    nop\n"
    ".globl crowded_neighbour\n"
    "crowded_neighbour: mov $7, %eax\n"
    "    ret\n");

static void crowded(void) {
    for (int i = 0; i < 3; i++) {
        crowded_call();
        printf("neighbour %ld\n", crowded_neighbour());
    }
}

static struct {
    char before[1024];
    struct utsname name;
    char behind[1024];
} room;

static void backwards(void) {
    memset(room.before, 'A', sizeof room.before);
    memset(room.behind, 'C', sizeof room.behind);
    for (int i = 0; i < 3; i++) {
        long result, flags;
        asm volatile("std\n\t"
                     "syscall\n\t"
                     "mov %%rax, %0\n\t"
                     "pushfq\n\t"
                     "pop %1\n\t"
                     "cld"
                     : "=&r"(result), "=&r"(flags)
                     : "a"(SYS_uname), "D"(&room.name)
                     : "rcx", "r11", "memory");
        int bad = 0;
        for (size_t k = 0; k < sizeof room.before; k++)
            bad += (room.before[k] != 'A') + (room.behind[k] != 'C');
        printf("uname %ld %s, direction flag %s, %d bytes spoiled\n", result, room.name.sysname,
               flags & 0x400 ? "kept" : "lost", bad);
    }
}

static void sizes(void) {
    void *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *moved = mremap(page, 4096, -8192UL, 0);
    printf("mremap to nearly everything: %s\n", moved == MAP_FAILED ? "refused" : "done");
    printf("munmap of 256 GiB of nothing: %d\n", munmap((void *)(1UL << 45), 1UL << 38));
    int advised = madvise((void *)(1UL << 45), 1UL << 38, MADV_DONTNEED);
    printf("madvise of it: %d %s\n", advised, advised ? strerror(errno) : "");
}

long changing(void);

asm(".text\n"
    ".p2align 12\n"
    ".globl changing, changing_call\n"
    "changing: mov $39, %eax\n" /* getpid */
    "changing_call: syscall\n"
    "    cmp $-4095, %rax\n"
    "    ret\n"
    ".p2align 12\n");

static long entered_late(void) {
    long result;
    asm volatile("mov $39, %%eax\n\t"
                 "call changing_call"
                 : "=a"(result)
                 :
                 : "rcx", "r11", "memory");
    return result;
}

/* What is known of the call before must not be believed of what stands there behind. */
static void replaced(void) {
    static const unsigned char other[] = {0xb8, 0x2a, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
    long pid = getpid(), results[4], refused = 0;
    results[0] = entered_late();
    refused |= mprotect(changing, 4096, PROT_READ | PROT_WRITE);
    memcpy(changing, other, sizeof other);
    refused |= mprotect(changing, 4096, PROT_READ | PROT_EXEC);
    for (int i = 1; i < 4; i++)
        results[i] = changing();
    printf("refused %ld, its own %d, then %ld %ld %ld\n", refused, results[0] == pid, results[1],
           results[2], results[3]);
}

int main(void) {
    crowded();
    backwards();
    sizes();
    replaced();
    return 0;
}
