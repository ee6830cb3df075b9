// Ways out of a signal handler that do not return: siglongjmp, setcontext, the cancellation of a thread.

#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <unistd.h>

static sigjmp_buf out;
static volatile int depth;
static int *volatile nowhere = (int *)16;

static uint64_t mask(void)
{
    sigset_t set;
    uint64_t word;
    sigprocmask(SIG_BLOCK, NULL, &set);
    memcpy(&word, &set, sizeof word);
    return word;
}

static void handle(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

static void jump(int signal)
{
    siglongjmp(out, signal);
}

static void nest(int signal)
{
    if (++depth < 5)
        raise(signal);
    siglongjmp(out, depth);
}

static void faults(void)
{
    handle(SIGSEGV, jump, SA_ONSTACK);
    for (volatile int i = 0; i < 3; i++) {
        int signal = sigsetjmp(out, 1);
        if (signal == 0)
            *nowhere = 1;
        printf("fault %d: signal %d, mask %#lx\n", i, signal, mask());
    }
    int without = sigsetjmp(out, 0);
    if (without == 0)
        *nowhere = 1;
    printf("without the mask: signal %d, mask %#lx\n", without, mask());
    sigset_t set;
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
}

static void nested(void)
{
    handle(SIGUSR1, nest, SA_NODEFER);
    int deep = sigsetjmp(out, 1);
    if (deep == 0)
        raise(SIGUSR1);
    printf("out of %d handlers, mask %#lx\n", deep, mask());
}

// Recurses until the stack is used up, and comes back on the alternate one.
static int deeper(int n)
{
    volatile char room[4096];
    room[0] = (char)n;
    return n < 0 ? 0 : deeper(n + 1) + room[0];
}

static void overflow(void)
{
    stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    sigaltstack(&stack, NULL);
    handle(SIGSEGV, jump, SA_ONSTACK);
    for (volatile int i = 0; i < 2; i++) {
        if (sigsetjmp(out, 1) == 0)
            printf("%d\n", deeper(0));
        stack_t now;
        sigaltstack(NULL, &now);
        printf("out of an overflow, stack flags %d\n", now.ss_flags);
    }
}

static ucontext_t back, other;
static volatile int visited;

static void switching(int signal)
{
    (void)signal;
    visited++;
    setcontext(&back);
}

static void contexts(void)
{
    handle(SIGUSR2, switching, 0);
    getcontext(&back);
    if (visited < 3)
        raise(SIGUSR2);
    printf("visited %d times, mask %#lx\n", visited, mask());
}

static char coroutine_stack[1 << 16];

static void coroutine(void)
{
    for (int i = 0; i < 3; i++) {
        printf("in the coroutine: %d\n", i);
        raise(SIGUSR1);
        swapcontext(&other, &back);
    }
}

static void counting(int signal)
{
    (void)signal;
    depth++;
}

static void coroutines(void)
{
    depth = 0;
    handle(SIGUSR1, counting, 0);
    getcontext(&other);
    other.uc_stack.ss_sp = coroutine_stack;
    other.uc_stack.ss_size = sizeof coroutine_stack;
    other.uc_link = &back;
    makecontext(&other, coroutine, 0);
    for (int i = 0; i < 3; i++)
        swapcontext(&back, &other);
    printf("signals on its stack: %d\n", depth);
}

static int ends[2];

static void cleanup(void *name)
{
    printf("cleaned up: %s\n", (char *)name);
}

static void *reading(void *unused)
{
    (void)unused;
    char byte;
    pthread_cleanup_push(cleanup, "outer");
    pthread_cleanup_push(cleanup, "inner");
    read(ends[0], &byte, 1);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return "not cancelled";
}

static void *computing(void *unused)
{
    (void)unused;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    pthread_cleanup_push(cleanup, "computing");
    for (volatile uint64_t i = 0;; i++)
        ;
    pthread_cleanup_pop(0);
    return NULL;
}

static void cancel(void *(*run)(void *))
{
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, run, NULL);
    usleep(20000);
    int asked = pthread_cancel(thread);
    // Which of the two prints first before the join is the scheduler's affair.
    pthread_join(thread, &result);
    printf("cancel: %d\n", asked);
    printf("cancelled: %d\n", result == PTHREAD_CANCELED);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    faults();
    nested();
    overflow();
    contexts();
    coroutines();
    if (pipe(ends) != 0)
        return 1;
    cancel(reading);
    cancel(computing);
    return 0;
}
